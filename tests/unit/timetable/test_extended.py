from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.unit.timetable.helpers import first_ticks, utc
from timewright.timetable import NeverFiresError, ScheduleError, parse


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/20 * * * * *", ["2026-03-01T00:00:20Z", "2026-03-01T00:00:40Z"]),
        ("30 0 12 * * ?", ["2026-03-01T12:00:30Z", "2026-03-02T12:00:30Z"]),
        ("0 0 12 1 1 ? 2027-2030/2", ["2027-01-01T12:00:00Z", "2029-01-01T12:00:00Z"]),
        ("0 0 0 1 1 * 2024,2026", []),
        ("0 0 L * *", ["2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z"]),
        ("0 0 L 2 ?", ["2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"]),
        ("0 0 L-2 * *", ["2026-03-29T00:00:00Z", "2026-04-28T00:00:00Z"]),
        ("0 0 LW * *", ["2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z"]),
        ("0 0 LW 5 *", ["2026-05-29T00:00:00Z", "2027-05-31T00:00:00Z"]),
        ("0 0 15W * *", ["2026-03-16T00:00:00Z", "2026-04-15T00:00:00Z"]),
        ("0 0 1W 8 *", ["2026-08-03T00:00:00Z", "2027-08-02T00:00:00Z"]),
        ("0 0 31W 5 *", ["2026-05-29T00:00:00Z", "2027-05-31T00:00:00Z"]),
        ("0 0 * * MON#2", ["2026-03-09T00:00:00Z", "2026-04-13T00:00:00Z"]),
        ("0 0 * * 1#5", ["2026-03-30T00:00:00Z", "2026-06-29T00:00:00Z"]),
        ("0 0 ? * friL", ["2026-03-27T00:00:00Z", "2026-04-24T00:00:00Z"]),
        ("0 0 L,15 * *", ["2026-03-15T00:00:00Z", "2026-03-31T00:00:00Z"]),
        ("0 0 L * FRIL", ["2026-03-27T00:00:00Z", "2026-03-31T00:00:00Z"]),
    ],
)
def test_ticks(expression: str, expected: list[str]) -> None:
    assert first_ticks(parse(expression), "2026-03-01T00:00:00", 2) == expected


@pytest.mark.parametrize("name", ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])
@pytest.mark.parametrize("ordinal", [1, 2, 3, 4, 5])
def test_nth_weekdays_are_those_of_the_calendar(name: str, ordinal: int) -> None:
    weekday = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"].index(name)
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(3 * 366)]
    expected = [day for day in days if day.weekday() == weekday and (day.day - 1) // 7 == ordinal - 1]
    schedule = parse(f"0 0 * * {name}#{ordinal}")
    assert [
        tick.date() for tick in schedule.between(utc("2023-12-31T23:00:00"), utc("2027-01-02T00:00:00"))
    ] == expected


@pytest.mark.parametrize(
    ("expression", "position", "words"),
    [
        ("0 0 L-31 * *", 4, "L-1 to L-30"),
        ("0 0 40W * *", 4, "1W to 31W"),
        ("0 0 * * MON#6", 8, "#1 to #5"),
        ("0 0 * * MOX#2", 8, "SUN, MON"),
        ("0 0 * * L", 8, "FRIL"),
        ("60 * * * * *", 0, "above 59"),
        ("0 0 0 1 1 ? 1969", 12, "below 1970"),
        ("H/61 * * * *", 0, "step from 1 to 60"),
        ("H(5-70) * * * *", 0, "expected 0-59"),
        ("Hx * * * *", 0, "H(0-29)/10"),
    ],
)
def test_errors_point_at_the_offending_characters(expression: str, position: int, words: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(expression, seed="x")
    assert caught.value.position == position
    assert words in str(caught.value)


def test_an_unknown_task_cannot_be_spread() -> None:
    with pytest.raises(ScheduleError, match="seed"):
        parse("H * * * *")


@pytest.mark.parametrize("expression", ["0 0 0 29 2 ? 2027", "0 0 0 L-30 2 *", "0 0 31W 2 *"])
def test_never_firing(expression: str) -> None:
    with pytest.raises(NeverFiresError):
        parse(expression)


def test_sparse_schedules_are_found_in_bounded_time() -> None:
    leap_mondays = parse("0 0 29 2 *", windows=["00:00-23:59 on mondays"])
    assert first_ticks(leap_mondays, "2026-01-01T00:00:00", 2) == ["2044-02-29T00:00:00Z", "2072-02-29T00:00:00Z"]
    assert leap_mondays.previous_before(utc("2044-02-29T00:00:00")) == utc("2016-02-29T00:00:00")
    assert parse("0 0 29 2 MON#5").count(utc("2000-01-01T00:00:00"), utc("2400-01-01T00:00:00")) == 97


def test_several_schedules_are_one() -> None:
    schedule = parse(["0 0 * * *", "0 12 * * 1", "0 0 1 * *", "30 0 12 * * MON"])
    assert first_ticks(schedule, "2026-03-01T00:00:00", 4) == [
        "2026-03-02T00:00:00Z",
        "2026-03-02T12:00:00Z",
        "2026-03-02T12:00:30Z",
        "2026-03-03T00:00:00Z",
    ]
    start, end = utc("2026-01-01T06:00:00"), utc("2028-06-01T12:00:15")
    assert schedule.count(start, end) == len(list(schedule.between(start, end)))
    assert schedule.previous_before(utc("2026-03-02T12:00:30")) == utc("2026-03-02T12:00:00")
    with pytest.raises(ScheduleError, match="at least one"):
        parse([])


def test_first_and_last_instants_are_ticks_themselves() -> None:
    schedule = parse("0 0 * * *", start_at=utc("2026-03-02T00:00:00"), end_at=utc("2026-03-04T00:00:00"))
    assert first_ticks(schedule, "2020-01-01T00:00:00", 9) == [
        "2026-03-02T00:00:00Z",
        "2026-03-03T00:00:00Z",
        "2026-03-04T00:00:00Z",
    ]
    assert schedule.previous_before(utc("2030-01-01T00:00:00")) == utc("2026-03-04T00:00:00")
    assert schedule.previous_before(utc("2026-03-02T00:00:00")) is None
    assert schedule.count(utc("2020-01-01T00:00:00"), utc("2030-01-01T00:00:00")) == 3
    with pytest.raises(ScheduleError, match="endAt is before startAt"):
        parse("@daily", start_at=utc("2026-03-02T00:00:00"), end_at=utc("2026-03-01T00:00:00"))


def test_delays() -> None:
    at = utc("2026-03-01T00:00:10")
    assert parse("@every 90s").next_after(at) == at + timedelta(seconds=90)
    assert parse("@every 90s").previous_before(at) == at - timedelta(seconds=90)
    anchored = parse("@every 90s", anchor=utc("2026-03-01T00:00:00"))
    assert first_ticks(anchored, "2026-03-01T00:00:10", 2) == ["2026-03-01T00:01:30Z", "2026-03-01T00:03:00Z"]
    assert anchored.previous_before(at) == utc("2026-03-01T00:00:00")
    assert anchored.count(at, utc("2026-03-02T00:00:00")) == 960
