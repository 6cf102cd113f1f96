"""Starts that are put off, against a list of them all."""

from __future__ import annotations

import bisect

from hypothesis import given
from hypothesis import strategies as st

from timewright.timetable import parse
from timewright.timetable.jitter import Jittered, done_until, nominal_ticks, start_of, started_until, tick_of


class Listed:
    """Ticks out of a list."""

    def __init__(self, ticks: list[int]) -> None:
        self.ticks = sorted(ticks)

    def first_from(self, instant: int) -> int | None:
        at = bisect.bisect_left(self.ticks, instant)
        return self.ticks[at] if at < len(self.ticks) else None

    def last_until(self, instant: int) -> int | None:
        at = bisect.bisect_right(self.ticks, instant)
        return self.ticks[at - 1] if at else None

    def count(self, start: int, end: int) -> int:
        return max(0, bisect.bisect_left(self.ticks, end) - bisect.bisect_left(self.ticks, start))


TICKS = st.lists(st.integers(0, 400), max_size=20, unique=True)
LONGEST = st.integers(1, 90)
INSTANT = st.integers(-10, 500)


@given(TICKS, LONGEST, st.text(max_size=5), INSTANT, INSTANT)
def test_starts_are_a_set_of_instants_like_any_other(
    ticks: list[int], longest: int, seed: str, one: int, other: int
) -> None:
    jittered = Jittered(Listed(ticks), seed, longest)
    listed = Listed([jittered.start_of(tick) for tick in ticks])
    assert jittered.first_from(one) == listed.first_from(one)
    assert jittered.last_until(one) == listed.last_until(one)
    assert jittered.count(one, other) == listed.count(one, other)


@given(TICKS, LONGEST)
def test_each_start_follows_its_tick_and_comes_before_the_next(ticks: list[int], longest: int) -> None:
    jittered = Jittered(Listed(ticks), "shop/prices", longest)
    ordered = sorted(ticks)
    for tick, following in zip(ordered, [*ordered, 10_000][1:], strict=True):
        start = jittered.start_of(tick)
        assert tick <= start <= tick + longest
        assert start < following
        assert tick_of(jittered, start) == tick


@given(TICKS, LONGEST, INSTANT)
def test_nothing_is_lost_or_doubled_between_nominal_times_and_starts(
    ticks: list[int], longest: int, instant: int
) -> None:
    jittered = Jittered(Listed(ticks), "shop/prices", longest)
    until = started_until(jittered, instant)
    assert {tick for tick in ticks if jittered.start_of(tick) <= until} == {tick for tick in ticks if tick <= instant}
    until = done_until(jittered, instant)
    assert {tick for tick in ticks if tick <= until} == {tick for tick in ticks if jittered.start_of(tick) <= instant}


@given(TICKS, INSTANT)
def test_ticks_without_jitter_start_when_they_are_due(ticks: list[int], instant: int) -> None:
    plain = Listed(ticks)
    assert nominal_ticks(plain) is plain
    assert {start_of(plain, instant), tick_of(plain, instant)} == {instant}
    assert {started_until(plain, instant), done_until(plain, instant)} == {instant}


def test_tasks_come_apart_and_every_process_agrees() -> None:
    ticks = parse("0 3 * * *").ticks
    tick = ticks.first_from(1_800_000_000)
    assert tick is not None
    starts = {Jittered(ticks, f"task-{number}", 600).start_of(tick) for number in range(200)}
    assert len(starts) > 100
    # Fixed for good: another version of this program that takes over must come to the same.
    assert Jittered(ticks, "9b2f6c1e-5d0a-4a57-8f0e-0c1d2e3f4a5b", 600).start_of(tick) - tick == 412
