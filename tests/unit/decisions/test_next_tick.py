"""When a task ticks next, as the native controller counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.decisions.seen import NOON, at
from timewright.decisions.next_tick import next_native_ticks
from timewright.timetable import Dialect, Schedule, parse


def native(expression: str, time_zone: str | None = None) -> Schedule:
    return parse(expression, time_zone=time_zone, dialect=Dialect.NATIVE)


def first(schedule: Schedule, asked_from: datetime, now: datetime) -> datetime | None:
    return next(iter(next_native_ticks(schedule, asked_from, now, 1)), None)


@pytest.mark.parametrize(
    ("expression", "asked_from", "now", "expected"),
    [
        ("0 * * * *", at(-30), at(-10), NOON),
        ("0 * * * *", at(-600), NOON, at(60)),
        ("0 * * * *", NOON, NOON, at(60)),
        ("*/5 * * * *", at(-5), at(0.5), at(5)),
        ("0 0 29 2 *", NOON, NOON, datetime(2028, 2, 29, tzinfo=UTC)),
        ("@every 90m", at(-10), NOON, at(80)),
        ("@every 90m", at(-100), NOON, at(80)),
        ("@every 90m", at(-900), NOON, at(90)),
        ("@every 90m", at(-900), at(-1), NOON),
        ("@every 1s", at(-1), NOON, NOON + timedelta(seconds=1)),
    ],
)
def test_the_next_tick_is_the_first_one_after_now(
    expression: str, asked_from: datetime, now: datetime, expected: datetime
) -> None:
    assert first(native(expression), asked_from, now) == expected


@given(st.integers(1, 200_000), st.integers(0, 10**8), st.integers(0, 999_999), st.integers(0, 999_999))
def test_the_ticks_of_every_lie_whole_delays_after_the_last_one(
    delay: int, elapsed: int, microsecond: int, other_microsecond: int
) -> None:
    asked_from = NOON.replace(microsecond=microsecond)
    now = NOON + timedelta(seconds=elapsed, microseconds=other_microsecond)

    tick = first(native(f"@every {delay}s"), asked_from, max(now, asked_from))

    assert tick is not None
    assert tick > now
    assert (tick - NOON) % timedelta(seconds=delay) == timedelta(0)
    assert tick - now <= timedelta(seconds=delay)


@given(
    st.sampled_from(["* * * * *", "*/7 * * * *", "30 2 * * *", "0 9 * * 1-5", "0 0 1 * *"]),
    st.sampled_from([None, "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
def test_a_tick_is_always_ahead(expression: str, zone: str | None, asked: int, waited: int) -> None:
    asked_from = NOON + timedelta(minutes=asked)
    now = asked_from + timedelta(minutes=waited)

    tick = first(native(expression, zone), asked_from, now)

    assert tick is not None
    assert tick > now


def test_the_ticks_that_follow_are_listed_too() -> None:
    assert next_native_ticks(native("0 * * * *"), NOON, NOON, 3) == [at(60), at(120), at(180)]
