"""What narrows a schedule, seen in the ticks that are left."""

import calendar
import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from timewright import DeclarationError, Schedule
from timewright.schedule.declaration import Declaration
from timewright.timetable.calendars import Dates

THURSDAY = datetime(2026, 1, 1, tzinfo=UTC)


def nothing() -> None:
    pass


def ticks_of(declare: Callable[[Declaration], Any], days: int = 7, start: datetime = THURSDAY) -> list[str]:
    schedule = Schedule("s")
    declare(schedule.call(nothing))
    (task,) = schedule.tasks()
    assert task.timetable is not None
    before = start - timedelta(seconds=1)
    return [f"{tick:%a %d %H:%M}" for tick in task.timetable.between(before, before + timedelta(days=days))]


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda task: task.sundays(), ["Sun"]),
        (lambda task: task.mondays(), ["Mon"]),
        (lambda task: task.tuesdays(), ["Tue"]),
        (lambda task: task.wednesdays(), ["Wed"]),
        (lambda task: task.thursdays(), ["Thu"]),
        (lambda task: task.fridays(), ["Fri"]),
        (lambda task: task.saturdays(), ["Sat"]),
        (lambda task: task.weekdays(), ["Thu", "Fri", "Mon", "Tue", "Wed"]),
        (lambda task: task.weekends(), ["Sat", "Sun"]),
        (lambda task: task.days(0, 3), ["Sun", "Wed"]),
        (lambda task: task.days([0, 3]), ["Sun", "Wed"]),
        (lambda task: task.days(7), ["Sun"]),
        (lambda task: task.days("tue", "Saturday"), ["Sat", "Tue"]),
        (lambda task: task.days("fri-mon"), ["Fri", "Sat", "Sun", "Mon"]),
        (lambda task: task.days(Schedule.SUNDAY, Schedule.WEDNESDAY), ["Sun", "Wed"]),
    ],
)
def test_days_of_the_week(declare: Callable[[Declaration], Any], expected: list[str]) -> None:
    assert [tick[:3] for tick in ticks_of(lambda task: declare(task.daily()))] == expected


def test_python_s_own_numbers_of_weekdays_are_read_by_their_names() -> None:
    # `calendar.Day`, new in Python 3.12, counts from Monday.
    day = enum.IntEnum("day", [(name.upper(), number) for number, name in enumerate(calendar.day_name)])

    assert [tick[:3] for tick in ticks_of(lambda task: task.daily().days(day["MONDAY"]))] == ["Mon"]


def test_weekdays_narrow_a_date_rather_than_add_to_it() -> None:
    found = ticks_of(lambda task: task.monthly().mondays(), days=365)

    assert found == ["Mon 01 00:00"]  # 1 June 2026; cron alone would add every Monday


def test_weekdays_narrow_an_expression_of_any_kind() -> None:
    assert [tick[:3] for tick in ticks_of(lambda task: task.cron("@daily").weekends())] == ["Sat", "Sun"]


@pytest.mark.parametrize(
    ("declare", "hours"),
    [
        (lambda task: task.between("9:00", "11:00"), [9, 10, 11]),
        (lambda task: task.between("22:00", "1:00"), [0, 1, 22, 23]),
        (lambda task: task.between("22:00", "24:00"), [22, 23]),
        (lambda task: task.unless_between("1:00", "23:00"), [0]),
        (lambda task: task.unless_between("22:00", "19:30"), [20, 21]),
        # Each one narrows what the others left.
        (lambda task: task.between("8:00", "12:00").between("10:00", "20:00"), [10, 11, 12]),
        (lambda task: task.between("8:00", "12:00").between("11:00", "9:00"), [8, 9, 11, 12]),
        (lambda task: task.between("8:00", "12:00").between("0:00", "9:00"), [8, 9]),
        (lambda task: task.between("8:00", "12:00").unless_between("9:00", "10:00"), [8, 11, 12]),
        (lambda task: task.unless_between("9:00", "10:00").between("8:00", "12:00"), [8, 11, 12]),
        (lambda task: task.during("08:00-09:00", "20:00-21:00 on weekdays", "not 09:00-09:30"), [8, 20, 21]),
    ],
)
def test_times_of_the_day(declare: Callable[[Declaration], Any], hours: list[int]) -> None:
    assert [int(tick[7:9]) for tick in ticks_of(lambda task: declare(task.hourly()), days=1)] == hours


def test_times_of_the_day_are_those_of_the_task_s_time_zone() -> None:
    found = ticks_of(lambda task: task.hourly().between("9:00", "10:00").time_zone("Asia/Tokyo"), days=1)

    assert found == ["Thu 01 00:00", "Thu 01 01:00"]


def test_a_time_zone_may_be_an_object() -> None:
    assert ticks_of(lambda task: task.daily().time_zone(ZoneInfo("Asia/Tokyo")), days=1) == ["Thu 01 15:00"]


def test_the_schedule_s_time_zone_holds_where_a_task_has_none() -> None:
    schedule = Schedule("s", time_zone="Asia/Tokyo")
    schedule.call(nothing).named("a")
    schedule.call(nothing).named("b").time_zone("Europe/Berlin")

    assert [task.timetable.time_zone for task in schedule.tasks() if task.timetable] == ["Asia/Tokyo", "Europe/Berlin"]


def test_when_clocks_change() -> None:
    night = datetime(2026, 3, 28, 22, tzinfo=UTC)

    def at_half_past_two(task: Declaration) -> Declaration:
        return task.daily_at("2:30").time_zone("Europe/Berlin")

    assert ticks_of(at_half_past_two, 1, night) == []
    assert ticks_of(lambda task: at_half_past_two(task).daylight_saving(gap="RunAfter"), 1, night) == ["Sun 29 01:00"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-01-03", "2026-01-04"),
        (date(2026, 1, 3), date(2026, 1, 4)),
        ("2026-01-02T20:00", "2026-01-04T19:00"),
        (datetime(2026, 1, 2, 15, tzinfo=UTC), datetime(2026, 1, 4, 0, tzinfo=UTC)),
    ],
)
def test_a_beginning_and_an_end(start: Any, end: Any) -> None:
    def declare(task: Declaration) -> Declaration:
        return task.daily().starts_at(start).ends_at(end).time_zone("Asia/Tokyo")

    assert ticks_of(declare, days=10) == ["Fri 02 15:00", "Sat 03 15:00"]


def test_closed_days() -> None:
    def declare(task: Declaration) -> Declaration:
        return task.daily().closed_on("2026-01-02", date(2026, 1, 4)).closed_by(Dates(["2026-01-05"]))

    assert ticks_of(declare, days=6) == ["Thu 01 00:00", "Sat 03 00:00", "Tue 06 00:00"]


def test_ticks_of_closed_days_may_move() -> None:
    found = ticks_of(lambda task: task.weekly_on("fri").closed_on("2026-01-02").when_closed("NextDay"))

    assert found == ["Sat 03 00:00"]


def test_holidays() -> None:
    found = ticks_of(lambda task: task.daily().closed_on_holidays("DE", "BY"), days=7)

    assert [tick[4:6] for tick in found] == ["02", "03", "04", "05", "07"]  # New Year, Epiphany in Bavaria


def test_what_changes_the_ticks_changes_the_schedule_s_identity() -> None:
    declares: list[Callable[[Declaration], Any]] = [
        lambda task: task,
        lambda task: task.hourly(),
        lambda task: task.hourly().time_zone("Asia/Tokyo"),
        lambda task: task.hourly().between("9:00", "10:00"),
        lambda task: task.hourly().closed_on("2026-01-02"),
        lambda task: task.hourly().closed_on("2026-01-03"),
        lambda task: task.hourly().starts_at("2026-01-03"),
        lambda task: task.hourly().daylight_saving(),
        lambda task: task.cron("H * * * *"),
    ]

    def identities() -> list[str]:
        schedule = Schedule("s")
        for number, declare in enumerate(declares):
            declare(schedule.call(nothing).named(f"task-{number}"))
        return [task.schedule_id for task in schedule.tasks()]

    assert len(set(identities())) == len(declares)
    assert identities() == identities()


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda task: task.time_zone("Europe/Berln"), "time_zone 'Europe/Berln' timeZone \"Europe/Berln\" is not in"),
        (lambda task: task.time_zone(UTC), "has no name; write the name of a time zone"),
        (lambda task: task.days(), "days () names no day"),
        (lambda task: task.days("mon-blue"), "days 'mon-blue' is no weekday"),
        (
            lambda task: task.mondays().fridays(),
            "fridays() comes after mondays(), which limits it to other days; say all",
        ),
        (lambda task: task.between("9:00", "9:60"), "between '9:60' is not a time of day"),
        (lambda task: task.during("at night"), "during ('at night',) is not understood; "),
        (lambda task: task.between("9:00", "10:00").during("12:00-13:00"), "say all of them in one during()"),
        (lambda task: task.starts_at("tomorrow"), "starts_at 'tomorrow' is no date or time; write one like"),
        (lambda task: task.closed_on(), "closed_on () is empty; write dates like"),
        (lambda task: task.closed_on("2026-02-30"), "calendar date '2026-02-30' is not a date; write it like"),
        (lambda task: task.closed_on_holidays("XX"), "closed_on_holidays 'XX' no holidays are known for 'XX'"),
        (lambda task: task.when_closed("Stop"), "write one of 'Skip', 'PreviousDay', 'NextDay'"),
        (lambda task: task.daylight_saving(gap="Jump"), "daylight_saving gap 'Jump' is not known; write one of 'Skip'"),
    ],
)
def test_what_is_wrong_is_told_where_it_is_said(declare: Callable[[Declaration], Any], says: str) -> None:
    task = Schedule("s").call(nothing)

    with pytest.raises(DeclarationError) as caught:
        declare(task)

    assert str(caught.value).startswith(f"{__file__}:")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda task: task.daily_at("8:00").between("9:00", "10:00"), "never fires: windows"),
        (lambda task: task.starts_at("2026-02-01").ends_at("2026-01-01"), "endAt is before startAt"),
    ],
)
def test_what_only_the_whole_shows_is_told_with_the_task(declare: Callable[[Declaration], Any], says: str) -> None:
    schedule = Schedule("s")
    declare(schedule.call(nothing))

    with pytest.raises(DeclarationError) as caught:
        schedule.tasks()

    assert str(caught.value).startswith(f"{__file__}:")
    assert "task 'nothing'" in str(caught.value)
    assert says in str(caught.value)
