"""What holds for every schedule, on random ones."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.oracle.random_cases import FAMILIAR, random_expression
from tests.unit.timetable.helpers import ticks_after
from timewright.timetable import DaylightSaving, Gap, Overlap, Schedule, ScheduleError, parse

# Zones whose changes are of one hour at night: there the ticks do not depend on where a walk begins.
ZONES = (*FAMILIAR, "America/Los_Angeles", "Europe/Dublin", "Australia/Sydney", "Asia/Kathmandu")
ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    random = Random(draw(st.integers(0, 2**32)))
    policies = [DaylightSaving(gap, overlap) for gap in Gap for overlap in Overlap]
    expression = random_expression(random)
    if draw(st.booleans()):
        expression = f"{random.choice(('0', '*/20', '7,8'))} {expression}"
    try:
        return parse(
            expression,
            time_zone=draw(st.sampled_from(ZONES)),
            daylight_saving=draw(st.sampled_from([None, *policies])),
            anchor=ANCHOR,
        )
    except ScheduleError:
        assume(False)
        raise


instants = st.integers(1_704_067_200, 2_019_686_400).map(lambda second: datetime.fromtimestamp(second, UTC)) | (
    st.integers(0, 9 * 86_400).map(lambda second: datetime(2026, 10, 24, tzinfo=UTC) + timedelta(seconds=second))
)


@settings(max_examples=120, deadline=None)
@given(schedules(), instants, st.lists(st.integers(-4_000, 4_000), min_size=2, max_size=12))
def test_an_answer_does_not_depend_on_what_was_asked_before(
    schedule: Schedule, start: datetime, steps: list[int]
) -> None:
    untouched = deepcopy(schedule)
    instant = start
    for step in steps:
        instant += timedelta(seconds=step)
        found = schedule.next_after(instant)
        assert found == deepcopy(untouched).next_after(instant)
        assert schedule.next_after(instant) == found
        following = None if found is None else schedule.next_after(found)
        assert following == (None if found is None else deepcopy(untouched).next_after(found))


@settings(max_examples=120, deadline=None)
@given(schedules(), instants)
def test_forwards_backwards_and_counted(schedule: Schedule, start: datetime) -> None:
    ticks = list(islice(ticks_after(schedule, start), 40))
    assume(ticks)
    assert all(earlier < later for earlier, later in pairwise([start, *ticks]))
    assert all(tick.tzinfo is UTC and not tick.microsecond for tick in ticks)
    for earlier, later in pairwise(ticks):
        assert schedule.previous_before(later) == earlier
        assert schedule.next_after(later - timedelta(microseconds=1)) == later
    assert list(schedule.between(start, ticks[-1])) == ticks
    assert schedule.count(start, ticks[-1]) == len(ticks)
    assert schedule.count(start, ticks[-1] - timedelta(microseconds=1)) == len(ticks) - 1


@settings(max_examples=100, deadline=None)
@given(schedules(), instants, st.lists(st.integers(0, 5_000_000), min_size=1, max_size=4))
def test_counts_of_neighbouring_intervals_add_up(schedule: Schedule, start: datetime, steps: list[int]) -> None:
    bounds = [start]
    for step in steps:
        bounds.append(bounds[-1] + timedelta(seconds=step))
    assert schedule.count(start, bounds[-1]) == sum(schedule.count(*pair) for pair in pairwise(bounds))


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "Asia/Beirut", "Africa/Cairo", "America/Havana"])
@pytest.mark.parametrize("expression", ["0 0 * * *", "*/30 0-4 * * *", "15 1 4,20 * *", "0 0 1 * *", "* * * * *"])
def test_counting_follows_the_controller_over_irregular_changes(zone: str, expression: str) -> None:
    schedule = parse(expression, time_zone=zone)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=40 if expression == "* * * * *" else 1_100)
    ticks = list(schedule.between(start, end))
    assert schedule.count(start, end) == len(ticks)
    assert all(schedule.previous_before(later) == earlier for earlier, later in pairwise(ticks[:3_000]))
