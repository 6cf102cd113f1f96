"""From the words of a manifest to ticks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml

from timewright.decisions.timetable_of_spec import schedule_id_of, timetable_of
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.timetable.spread import seed_of_task

CLOSED_ON_MONDAYS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//example//EN
BEGIN:VEVENT
UID:mondays
DTSTART;VALUE=DATE:20240101
DTEND;VALUE=DATE:20240102
RRULE:FREQ=WEEKLY
END:VEVENT
BEGIN:VEVENT
UID:new-year
DTSTART:20241231T220000
DTEND:20250101T040000
RRULE:FREQ=YEARLY
END:VEVENT
END:VCALENDAR
"""


def spec_of(**fields: Any) -> ScheduledTaskSpec:
    return ScheduledTaskSpec.model_validate({"command": ["true"], **fields})


def ticks(start: str, count: int, **fields: Any) -> list[str]:
    schedule = timetable_of(spec_of(**fields), seed=seed_of_task("shop", "backup"))
    instant = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = []
    for _ in range(count):
        following = schedule.next_after(instant)
        assert following is not None
        instant = following
        found.append(f"{instant:%Y-%m-%dT%H:%M}")
    return found


def test_several_expressions_are_one_schedule() -> None:
    assert ticks("2026-01-01", 3, schedules=["0 3 * * *", "0 3,4 * * *"]) == [
        "2026-01-01T03:00",
        "2026-01-01T04:00",
        "2026-01-02T03:00",
    ]


def test_windows_days_and_first_and_last_instants_narrow_it() -> None:
    narrowed = {
        "schedule": "0 * * * *",
        "timeZone": "Europe/Berlin",
        "windows": ["between 09:00-10:00 on weekdays"],
        "calendars": [{"dates": ["2026-12-24"]}, {"holidays": {"country": "DE", "subdivision": "BY"}}],
        "startAt": "2026-12-23T09:00:00Z",
    }

    # 24 December is closed, 25 and 26 are holidays, 27 is a Sunday.
    assert ticks("2026-12-01", 3, **narrowed) == ["2026-12-23T09:00", "2026-12-28T08:00", "2026-12-28T09:00"]
    schedule = timetable_of(spec_of(**narrowed, endAt="2026-12-23T09:00:00Z"))
    assert schedule.next_after(datetime(2026, 12, 23, 9, tzinfo=UTC)) is None


def test_a_tick_of_a_closed_day_moves() -> None:
    closed = {"schedule": "0 9 * * MON", "calendars": [{"dates": ["2026-12-28"]}]}

    assert ticks("2026-12-22", 1, **closed) == ["2027-01-04T09:00"]
    assert ticks("2026-12-22", 1, **closed, excluded="NextDay") == ["2026-12-29T09:00"]
    assert ticks("2026-12-22", 1, **closed, excluded="PreviousDay") == ["2026-12-27T09:00"]


@pytest.mark.parametrize("year", [2024, 2031, 2060])
def test_an_icalendar_document_closes_in_any_year(year: int) -> None:
    calendars = [{"iCalendar": CLOSED_ON_MONDAYS}]
    schedule = timetable_of(spec_of(schedule="0 12 * * *", calendars=calendars))
    in_the_year = schedule.between(datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, tzinfo=UTC))

    assert {tick.weekday() for tick in in_the_year} == {1, 2, 3, 4, 5, 6}
    # The night of New Year lies in two years, and is closed from 22:00 to 04:00 of the next.
    hourly = timetable_of(spec_of(schedule="0 * * * *", calendars=calendars, timeZone="Europe/Berlin"))
    night = hourly.between(datetime(year, 12, 31, 19, 30, tzinfo=UTC), datetime(year + 1, 1, 1, 4, 30, tzinfo=UTC))
    assert not [tick for tick in night if tick.hour >= 21 or tick.hour < 3]


def test_daylight_saving_is_as_told() -> None:
    gap = {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"}

    assert ticks("2026-03-28T12:00", 1, **gap) == ["2026-03-30T00:30"]
    assert ticks("2026-03-28T12:00", 1, **gap, daylightSaving={"gap": "RunAfter"}) == ["2026-03-29T01:00"]


def test_every_keeps_to_a_grid_unless_the_native_controller_counts() -> None:
    asked_from = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    spec = spec_of(schedule="@every 1h")

    assert timetable_of(spec).next_after(asked_from) == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert timetable_of(spec, native=True).next_after(asked_from) == datetime(2026, 1, 1, 1, 10, tzinfo=UTC)
    begun = spec_of(schedule="@every 1h", startAt="2026-01-01T00:05:00Z")
    assert timetable_of(begun).next_after(asked_from) == datetime(2026, 1, 1, 1, 5, tzinfo=UTC)


def test_a_manifest_says_days_and_instants_with_or_without_quotes() -> None:
    quoted = yaml.safe_load('{startAt: "2026-12-01T00:00:00Z", calendars: [{dates: ["2026-12-25"]}]}')
    bare = yaml.safe_load("{startAt: 2026-12-01T00:00:00Z, calendars: [{dates: [2026-12-25]}]}")

    assert bare["calendars"][0]["dates"] == [date(2026, 12, 25)]
    assert spec_of(schedule="@daily", **bare) == spec_of(schedule="@daily", **quoted)
    assert spec_of(schedule="@daily", startAt=date(2026, 12, 1)).start_at == datetime(2026, 12, 1, tzinfo=UTC)


OF_TICKS: list[dict[str, Any]] = [
    {"schedule": "0 4 * * *"},
    {"timeZone": "Europe/Berlin"},
    {"windows": ["03:00-04:00"]},
    {"calendars": [{"dates": ["2026-12-25"]}]},
    {"calendars": [{"dates": ["2026-12-25"]}], "excluded": "NextDay"},
    {"daylightSaving": {}},
    {"startAt": "2026-01-01T00:00:00Z"},
    {"endAt": "2126-01-01T00:00:00Z"},
]


def test_each_change_of_the_ticks_is_another_schedule() -> None:
    ids = [schedule_id_of(spec_of(**{"schedule": "0 3 * * *", **change})) for change in [{}, *OF_TICKS]]

    assert len(set(ids)) == len(ids)


def test_other_changes_leave_the_schedule_what_it_is() -> None:
    before = schedule_id_of(spec_of(schedule="0 3 * * *"), seed="a")

    assert schedule_id_of(spec_of(schedule="0 3 * * *", suspend=True, timeoutSeconds=5), seed="a") == before
    assert schedule_id_of(spec_of(schedule="0 3 * * *"), seed="b") != before
