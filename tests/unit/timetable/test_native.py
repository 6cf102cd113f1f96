from __future__ import annotations

import pytest

from tests.unit.timetable.helpers import first_ticks, utc
from timewright.timetable import Dialect, NeverFiresError, ScheduleError, UnknownTimeZoneError, parse


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", ["2026-03-04T10:08:00Z", "2026-03-04T10:09:00Z"]),
        ("*/15 * * * *", ["2026-03-04T10:15:00Z", "2026-03-04T10:30:00Z"]),
        ("58-58 * * * *", ["2026-03-04T10:58:00Z", "2026-03-04T11:58:00Z"]),
        ("5/20 * * * *", ["2026-03-04T10:25:00Z", "2026-03-04T10:45:00Z"]),
        ("0 0 * * MON", ["2026-03-09T00:00:00Z", "2026-03-16T00:00:00Z"]),
        ("0 0 1 jan,JUL ?", ["2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"]),
        ("0 0 31 * *", ["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"]),
        ("0 0 29 2 *", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("@hourly", ["2026-03-04T11:00:00Z", "2026-03-04T12:00:00Z"]),
        ("@weekly", ["2026-03-08T00:00:00Z", "2026-03-15T00:00:00Z"]),
        ("@yearly", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
        ("@every 1h30m", ["2026-03-04T11:37:30Z", "2026-03-04T13:07:30Z"]),
    ],
)
def test_ticks(expression: str, expected: list[str]) -> None:
    assert first_ticks(parse(expression), "2026-03-04T10:07:30", 2) == expected


# As they stand in the values of widely used charts.
@pytest.mark.parametrize(
    "expression",
    [
        "*/1 * * * *",
        "*/10 * * * *",
        "0 1 * * *",
        "0 */6 * * *",
        "15 3 * * *",
        "30 0 * * 6",
        "0 0 * * 1-5",
        "0 2 * * 0",
        "0 8,12,18 * * 1-5",
        "23 1,13 * * *",
        "5 4 1 * *",
        "@daily",
        "@midnight",
        "H/15 * * * *",
    ],
)
def test_expressions_of_public_charts(expression: str) -> None:
    schedule = parse(expression, seed="chart")
    ticks = first_ticks(schedule, "2026-03-04T10:07:30", 50)
    assert len(ticks) == len(set(ticks)) == 50


def test_a_stepped_star_restricts_a_day_field() -> None:
    either = parse("0 0 */10 * 1")
    assert first_ticks(either, "2026-03-01T00:00:00", 4) == [
        "2026-03-02T00:00:00Z",
        "2026-03-09T00:00:00Z",
        "2026-03-11T00:00:00Z",
        "2026-03-16T00:00:00Z",
    ]
    assert first_ticks(parse("0 0 */1 * 1"), "2026-03-01T00:00:00", 2) == [
        "2026-03-02T00:00:00Z",
        "2026-03-09T00:00:00Z",
    ]


@pytest.mark.parametrize(
    ("expression", "position", "value", "words"),
    [
        ("61 * * * *", 0, "61", "above 59"),
        ("0 0 0 * *", 4, "0", "below 1"),
        ("0 0 * * 7", 8, "7", "Sunday is 0"),
        ("0 22-6 * * *", 2, "22-6", "22-23,0-6"),
        ("*/0 * * * *", 2, "0", "at least 1"),
        ("1-2-3 * * * *", 0, "1-2-3", "more than one hyphen"),
        ("1/2/3 * * * *", 0, "1/2/3", "more than one slash"),
        ("0 0 * FOO *", 6, "FOO", "neither a number nor a name"),
        ("0 1,2,x * * *", 6, "x", "not a number"),
        ("@reboot", 0, "@reboot", "unknown descriptor"),
        ("@every 5", 7, "5", "lacks a unit"),
        ("@every 3d", 8, "d", "unknown unit"),
        ("TZ=UTC 0 0 * * *", 0, "TZ", "use timeZone"),
        ("CRON_TZ=UTC 0 0 * * *", 5, "TZ", "use timeZone"),
    ],
)
def test_errors_point_at_the_offending_characters(expression: str, position: int, value: str, words: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(expression)
    error = caught.value
    assert (error.position, error.value, error.expression) == (position, value, expression)
    assert words in str(error)
    assert error.pointer().splitlines()[1] == " " * position + "^" * len(value)


@pytest.mark.parametrize("expression", ["", "* * * *", "* * * * * * * *"])
def test_a_wrong_number_of_fields(expression: str) -> None:
    with pytest.raises(ScheduleError, match="expected 5 fields"):
        parse(expression)


@pytest.mark.parametrize("expression", ["* * * * * *", "0 0 0 1 1 ? 2027"])
def test_the_native_dialect_has_no_seconds_and_no_years(expression: str) -> None:
    with pytest.raises(ScheduleError, match="no seconds and no years"):
        parse(expression, dialect=Dialect.NATIVE)


@pytest.mark.parametrize("expression", ["0 0 L * *", "H * * * *", "0 0 * * MON#2", "0 0 15W * *"])
def test_the_native_dialect_has_no_extensions(expression: str) -> None:
    with pytest.raises(ScheduleError, match="what a CronJob accepts has no L"):
        parse(expression, dialect=Dialect.NATIVE, seed="x")


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 ?", "0 0 31 4,6,9,11 *", ", * * * *", "0 0 , * *"])
def test_a_schedule_that_never_fires_is_rejected(expression: str) -> None:
    with pytest.raises(NeverFiresError, match="never fires"):
        parse(expression)


@pytest.mark.parametrize(
    "name", ["", "Local", "local", "Mars/Olympus", "europe/berlin", "../UTC", "Europe", "-x/y", "Europe/Ber lin"]
)
def test_time_zones_that_the_api_server_refuses(name: str) -> None:
    with pytest.raises(UnknownTimeZoneError) as caught:
        parse("@daily", time_zone=name)
    assert caught.value.field == "timeZone"


def test_the_controller_gives_up_after_five_years() -> None:
    leap_days = parse("0 0 29 2 *")
    assert leap_days.next_after(utc("2096-03-01T00:00:00")) is None
    assert leap_days.next_after(utc("2099-01-01T00:00:00")) == utc("2104-02-29T00:00:00")


def test_half_an_hour_can_cost_a_day() -> None:
    daily = parse("0 0 * * *", time_zone="Australia/Lord_Howe")
    assert first_ticks(daily, "2026-10-03T00:00:00", 2) == ["2026-10-03T13:30:00Z", "2026-10-05T13:00:00Z"]
    # Asked from after the change, the walk does not come across it.
    assert first_ticks(daily, "2026-10-04T00:00:00", 1) == ["2026-10-04T13:00:00Z"]


def test_fractions_of_a_second_and_naive_instants() -> None:
    schedule = parse("* * * * *")
    at = utc("2026-03-04T10:07:00")
    assert schedule.next_after(at.replace(microsecond=1)) == utc("2026-03-04T10:08:00")
    assert schedule.previous_before(at.replace(microsecond=1)) == at
    assert schedule.previous_before(at) == utc("2026-03-04T10:06:00")
    assert schedule.includes(at)
    assert not schedule.includes(at.replace(microsecond=1))
    with pytest.raises(ScheduleError, match="no time zone"):
        schedule.next_after(at.replace(tzinfo=None))
