"""Windows and calendars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.unit.timetable.helpers import first_ticks, local_ticks, utc
from timewright.timetable import NeverFiresError, Schedule, ScheduleError, parse
from timewright.timetable.calendars import Dates, Events, Excluded, Holidays
from timewright.timetable.icalendar_documents import read_calendar
from timewright.timetable.windows import parse_window
from timewright.timetable.zones import load_zone

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)


def _check_counts(schedule: Schedule) -> None:
    ticks = list(schedule.between(START, END))
    assert schedule.count(START, END) == len(ticks)
    assert [schedule.previous_before(tick) for tick in ticks[1:]] == ticks[:-1]


@pytest.mark.parametrize(
    ("window", "weekdays"),
    [
        ("between 09:00-17:30 on weekdays", 0b0111110),
        ("09:00 - 17:30 on MON-FRI", 0b0111110),
        ("9:00 to 17:30 on weekends", 0b1000001),
        ("between 09:00 and 17:30", 0b1111111),
        ("Between 09:00-17:30 on Mondays and Wednesdays", 0b0001010),
        ("between 09:00-17:30 on every day", 0b1111111),
    ],
)
def test_windows_are_read(window: str, weekdays: int) -> None:
    assert parse_window(window) == (9 * 3_600, 17 * 3_600 + 1_800, weekdays, False)


@pytest.mark.parametrize(
    ("window", "value"),
    [
        ("weekdays", "weekdays"),
        ("25:00-26:00", "25:00"),
        ("09:00-17:60", "17:60"),
        ("09:00-17:00 on funday", "funday"),
        ("09:00-17:00 on ,", ","),
    ],
)
def test_errors_point_into_the_window(window: str, value: str) -> None:
    with pytest.raises(ScheduleError, match="between 09:00-17:30 on weekdays") as caught:
        parse_window(window)
    assert caught.value.value == value


@pytest.mark.parametrize(
    ("expression", "windows", "expected"),
    [
        ("*/30 * * * *", ["09:00-10:00 on weekdays"], ["Thu 09:00", "Thu 09:30", "Thu 10:00", "Fri 09:00"]),
        ("0 * * * *", ["22:00-01:00 on fri"], ["Fri 22:00", "Fri 23:00", "Sat 00:00", "Sat 01:00"]),
        ("0 * * * *", ["09:00-12:00", "not between 10:00-11:00"], ["Thu 09:00", "Thu 12:00", "Fri 09:00", "Fri 12:00"]),
        ("0 */6 * * *", ["not between 00:00-11:59 on thu"], ["Thu 12:00", "Thu 18:00", "Fri 00:00", "Fri 06:00"]),
    ],
)
def test_windows(expression: str, windows: list[str], expected: list[str]) -> None:
    schedule = parse(expression, windows=windows)
    ticks = first_ticks(schedule, "2026-01-01T01:00:00", 4)
    assert [f"{datetime.fromisoformat(tick):%a %H:%M}" for tick in ticks] == expected
    _check_counts(schedule)


def test_windows_are_read_on_local_clocks() -> None:
    schedule = parse("*/30 * * * *", time_zone="America/New_York", windows=["01:00-01:30"])
    assert local_ticks(schedule, "2026-11-01T04:00:00", 5) == [
        "2026-11-01 01:00 -0400",
        "2026-11-01 01:30 -0400",
        "2026-11-01 01:00 -0500",
        "2026-11-01 01:30 -0500",
        "2026-11-02 01:00 -0500",
    ]


def test_a_schedule_without_a_tick_in_its_windows_is_rejected() -> None:
    with pytest.raises(NeverFiresError, match="windows"):
        parse("0 3 * * *", windows=["09:00-17:00"])


@pytest.mark.parametrize(
    ("excluded", "expected"),
    [
        (Excluded.SKIP, ["2026-03-01T09:00:00Z", "2026-03-04T09:00:00Z", "2026-04-01T09:00:00Z"]),
        (Excluded.NEXT_DAY, ["2026-03-01T09:00:00Z", "2026-03-04T09:00:00Z", "2026-04-01T09:00:00Z"]),
        (Excluded.PREVIOUS_DAY, ["2026-03-01T09:00:00Z", "2026-03-04T09:00:00Z", "2026-04-01T09:00:00Z"]),
    ],
)
def test_ticks_that_coincide_after_moving_are_one(excluded: Excluded, expected: list[str]) -> None:
    schedule = parse("0 9 1-4 * *", calendars=[Dates(["2026-03-02", date(2026, 3, 3)])], excluded=excluded)
    assert first_ticks(schedule, "2026-02-20T00:00:00", 3) == expected
    _check_counts(schedule)


@pytest.mark.parametrize(
    ("excluded", "expected"),
    [
        (Excluded.SKIP, ["2026-11-25T08:00:00Z", "2027-01-25T08:00:00Z"]),
        (Excluded.NEXT_DAY, ["2026-11-25T08:00:00Z", "2026-12-27T08:00:00Z"]),
        (Excluded.PREVIOUS_DAY, ["2026-11-25T08:00:00Z", "2026-12-24T08:00:00Z"]),
    ],
)
def test_holidays_of_a_country(excluded: Excluded, expected: list[str]) -> None:
    pytest.importorskip("holidays")
    calendar = Holidays("DE", "BY")
    schedule = parse("0 9 25 * *", time_zone="Europe/Berlin", calendars=[calendar], excluded=excluded)
    assert first_ticks(schedule, "2026-11-01T00:00:00", 2) == expected
    _check_counts(schedule)
    with pytest.raises(ScheduleError, match="ISO 3166"):
        Holidays("XX")


DOCUMENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//maintenance//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260302
DTEND;VALUE=DATE:20260304
SUMMARY:Stocktaking
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;TZID=Europe/Berlin:20260306T080000
DTEND;TZID=Europe/Berlin:20260306T100000
RRULE:FREQ=WEEKLY
SUMMARY:Maintenance
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART;VALUE=DATE:20260309
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


def test_an_icalendar_document() -> None:
    pytest.importorskip("icalendar")
    pytest.importorskip("recurring_ical_events")
    zone = load_zone("Europe/Berlin")
    calendar = read_calendar(DOCUMENT, zone=zone, first_year=2026, last_year=2027)
    schedule = parse("0 9 * * *", time_zone="Europe/Berlin", calendars=[calendar])
    ticks = first_ticks(schedule, "2026-03-01T00:00:00", 6)
    assert [tick[:10] for tick in ticks] == [f"2026-03-{day:02}" for day in (1, 4, 5, 7, 8, 9)]
    _check_counts(schedule)
    moved = parse("0 9 * * *", time_zone="Europe/Berlin", calendars=[calendar], excluded=Excluded.NEXT_DAY)
    _check_counts(moved)
    with pytest.raises(ScheduleError, match="iCalendar"):
        read_calendar("no calendar", zone=zone, first_year=2026, last_year=2027)


def test_a_calendar_that_closes_everything() -> None:
    with pytest.raises(NeverFiresError):
        parse("0 9 * * *", calendars=[Events((), [(0, 2**34)])])


def test_calendar_dates_are_checked() -> None:
    with pytest.raises(ScheduleError, match="2026-12-25"):
        Dates(["25.12.2026"])


def test_moved_ticks_have_to_fit_the_windows() -> None:
    schedule = parse(
        "0 9 * * FRI",
        calendars=[Dates(["2026-03-06"])],
        excluded=Excluded.NEXT_DAY,
        windows=["00:00-23:59 on weekdays"],
    )
    assert first_ticks(schedule, "2026-03-01T00:00:00", 1) == ["2026-03-13T09:00:00Z"]
    assert schedule.includes(utc("2026-03-13T09:00:00"))


@pytest.mark.parametrize("excluded", [Excluded.NEXT_DAY, Excluded.PREVIOUS_DAY])
@pytest.mark.parametrize("closed", [["2026-03-06"], ["2026-03-06", "2026-03-07"], ["2026-03-05", "2026-03-08"]])
@pytest.mark.parametrize("expression", ["0 * * * 5,0", "0 */6 * * *", "0 12 6,7,9 * *"])
def test_moved_ticks_are_found_from_wherever_one_asks(excluded: Excluded, closed: list[str], expression: str) -> None:
    schedule = parse(expression, calendars=[Dates(closed)], excluded=excluded)
    hours = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=number) for number in range(14 * 24)]
    ticks = [hour for hour in hours if schedule.includes(hour)]
    assert ticks
    for hour in hours:
        later, earlier = [tick for tick in ticks if tick > hour], [tick for tick in ticks if tick < hour]
        if later:
            assert schedule.next_after(hour) == later[0]
        if earlier:
            assert schedule.previous_before(hour) == earlier[-1]
