"""Whatever is said in whatever order, a task has ticks that keep to all limits, or is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from timewright import DeclarationError, Schedule
from timewright.schedule.declaration import Declaration

Say = Callable[[Declaration], Any]

FREQUENCIES: list[Say] = [
    lambda task: task.every_ten_seconds(),
    lambda task: task.every_five_minutes(),
    lambda task: task.hourly_at(17, 45),
    lambda task: task.every_odd_hour(),
    lambda task: task.daily(),
    lambda task: task.at("13:30"),
    lambda task: task.twice_daily(1, 13),
    lambda task: task.weekly(),
    lambda task: task.weekly_on("thu", "8:00"),
    lambda task: task.monthly_on(4),
    lambda task: task.last_day_of_month("23:00"),
    lambda task: task.quarterly(),
    lambda task: task.yearly(),
    lambda task: task.every(420),
    lambda task: task.cron("0 9 13 * 5"),
    lambda task: task.cron("@daily", "15 10 * * *"),
    lambda task: task.cron("H H(8-16) * * *"),
]
START = datetime(2026, 1, 1, tzinfo=UTC)


def fires(schedule: Schedule) -> bool:
    """Tell whether any tick is left; anything else that is wrong fails the test."""
    try:
        schedule.tasks()
    except DeclarationError as error:
        if "never fires" not in str(error):
            raise
        return False
    return True


def first_ticks(schedule: Schedule) -> list[datetime]:
    (built,) = schedule.tasks()
    assert built.timetable is not None
    return list(islice(built.timetable.between(START, START.replace(year=2028)), 60))


def declared(says: list[Say]) -> tuple[Schedule, Declaration]:
    schedule = Schedule("s")
    task = schedule.call(list)
    for say in says:
        say(task)
    return schedule, task


@given(st.lists(st.sampled_from(FREQUENCIES), min_size=1, max_size=4))
def test_frequencies_in_any_order_make_a_schedule(says: list[Say]) -> None:
    schedule, _ = declared(says)

    assert first_ticks(schedule)


@given(
    st.lists(st.sampled_from(FREQUENCIES), max_size=3),
    st.sets(st.integers(0, 6), min_size=1),
    st.tuples(st.integers(0, 23), st.integers(0, 23)),
    st.tuples(st.integers(0, 23), st.integers(0, 23)),
    st.permutations(range(3)),
)
def test_every_limit_holds_for_every_tick(
    says: list[Say], days: set[int], within: tuple[int, int], outside: tuple[int, int], order: list[int]
) -> None:
    limits: list[Say] = [
        lambda task: task.days(*days),
        lambda task: task.between(f"{within[0]}:00", f"{within[1]}:30"),
        lambda task: task.unless_between(f"{outside[0]}:15", f"{outside[1]}:45"),
    ]
    schedule, _ = declared([*says, *(limits[index] for index in order)])

    for tick in first_ticks(schedule) if fires(schedule) else ():
        assert tick.isoweekday() % 7 in days
        assert is_between(tick, within[0] * 3600, within[1] * 3600 + 1800)
        assert not is_between(tick, outside[0] * 3600 + 900, outside[1] * 3600 + 2700)


@given(st.tuples(st.integers(0, 23), st.integers(0, 23)), st.tuples(st.integers(0, 23), st.integers(0, 23)))
def test_two_times_of_the_day_both_have_to_hold(first: tuple[int, int], second: tuple[int, int]) -> None:
    schedule, task = declared([lambda task: task.every_ten_minutes()])
    for start, end in (first, second):
        task.between(f"{start}:00", f"{end}:30")

    found = {(tick.hour, tick.minute) for tick in ticks_of_a_day(schedule)} if fires(schedule) else set()

    assert found == {
        (hour, minute)
        for hour in range(24)
        for minute in range(0, 60, 10)
        for instant in [START.replace(hour=hour, minute=minute)]
        if all(is_between(instant, start * 3600, end * 3600 + 1800) for start, end in (first, second))
    }


def ticks_of_a_day(schedule: Schedule) -> list[datetime]:
    (built,) = schedule.tasks()
    assert built.timetable is not None
    return list(built.timetable.between(START, START.replace(day=2)))


def is_between(tick: datetime, start: int, end: int) -> bool:
    second = tick.hour * 3600 + tick.minute * 60 + tick.second
    return start <= second <= end if start <= end else second >= start or second <= end
