"""The native superset holds every tick, and the gate lets through nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.oracle.random_cases import random_expression
from tests.unit.timetable.helpers import utc
from timewright.timetable import DaylightSaving, Dialect, Gap, Overlap, Schedule, ScheduleError, parse
from timewright.timetable.calendars import Dates, Excluded
from timewright.timetable.compiling import compile_schedule
from timewright.timetable.gate import Reason

START = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu")
NEW_YORK = "America/New_York"


def _check(schedule: Schedule, days: int) -> None:
    end = START + timedelta(days=days)
    expressions, gate = compile_schedule(schedule)
    natives = [parse(text, time_zone=schedule.time_zone, dialect=Dialect.NATIVE) for text in expressions]
    fired = sorted(tick for native in natives for tick in native.between(START, end))
    ticks = list(schedule.between(START, end))
    assert set(ticks) <= set(fired)
    if gate is None:
        assert fired == ticks
    else:
        assert sorted({tick for tick in fired if gate.admits(tick)}) == ticks


@pytest.mark.parametrize(
    ("expression", "options", "expressions", "gated"),
    [
        ("30 2 * * *", {"time_zone": NEW_YORK}, ("30 2 * * *",), False),
        ("0 0 * * *", {"time_zone": "Australia/Lord_Howe"}, ("0 0 * * *",), False),
        ("0 30 2 * * *", {}, ("30 2 * * *",), False),
        ("0 0 L 1,3 *", {}, ("0 0 31 1,3 *",), False),
        ("0 0 L * *", {}, ("0 0 28-31 * *",), True),
        ("0 0 LW * *", {}, ("0 0 26-31 * *",), True),
        ("0 0 15W * *", {}, ("0 0 14-16 * *",), True),
        ("0 0 * * MON#2", {}, ("0 0 * * 1",), True),
        ("0 0 L * MON", {}, ("0 0 28-31 * 1",), True),
        ("0 0 0 1 1 ? 2027", {}, ("0 0 1 1 *",), True),
        (["0 0 * * *", "0 12 * * *"], {}, ("0 0 * * *", "0 12 * * *"), False),
        (["0 0 * * *", "0 0 1 * *"], {}, ("0 0 * * *", "0 0 1 * *"), True),
        ("*/30 * * * *", {"windows": ["09:00-17:30 on weekdays"]}, ("0,30 9-17 * * 1-5",), False),
        ("*/30 * * * *", {"windows": ["09:00-17:15"]}, ("0,30 9-16 * * *", "0 17 * * *"), False),
        ("0 9 1 * *", {"windows": ["09:00-17:15 on weekdays"]}, ("0 9 1 * *",), True),
        (
            "30 2 * * *",
            {"time_zone": NEW_YORK, "daylight_saving": DaylightSaving(Gap.RUN_AFTER, Overlap.FIRST)},
            ("30 2 * * *", "0 3 * 3 0"),
            True,
        ),
        (
            "30 5 * * *",
            {"time_zone": NEW_YORK, "daylight_saving": DaylightSaving(Gap.RUN_AFTER, Overlap.FIRST)},
            ("30 5 * * *",),
            False,
        ),
        ("30 5 * * *", {"time_zone": "Africa/Cairo", "daylight_saving": DaylightSaving()}, ("30 * * * *",), True),
        ("0 9 * * *", {"calendars": [Dates(["2026-03-02"])]}, ("0 9 * * *",), True),
        ("0 9 1 * *", {"calendars": [Dates(["2026-03-01"])], "excluded": Excluded.NEXT_DAY}, ("0 9 * * *",), True),
        ("0 9 * * *", {"start_at": START + timedelta(days=3)}, ("0 9 * * *",), True),
        ("@every 5m", {"anchor": START}, ("*/5 * * * *",), False),
        ("@every 6h", {"anchor": START}, ("0 */6 * * *",), False),
        ("@every 36h", {"anchor": START}, ("0 0,12 * * *",), True),
    ],
)
def test_what_becomes_of_a_schedule(
    expression: str | list[str], options: dict[str, object], expressions: tuple[str, ...], gated: bool
) -> None:
    schedule = parse(expression, **options)  # type: ignore[arg-type]
    compiled = compile_schedule(schedule)
    assert (compiled.expressions, compiled.gate is not None) == (expressions, gated)
    _check(schedule, 430)


@pytest.mark.parametrize(
    ("instant", "reason", "message"),
    [
        ("2026-01-02T09:00:00", Reason.OUTSIDE_PERIOD, "before startAt, 2026-01-03T00:00:00Z"),
        ("2026-02-02T09:00:00", Reason.OUTSIDE_PERIOD, "after endAt, 2026-02-01T00:00:00Z"),
        ("2026-01-06T09:00:00", Reason.CALENDAR, "closed by inventory"),
        ("2026-01-04T09:00:00", Reason.OUTSIDE_WINDOW, "outside of all windows"),
        ("2026-01-05T10:00:00", Reason.NOT_DUE, "not named by 0 9 * * *"),
    ],
)
def test_a_gate_says_why(instant: str, reason: Reason, message: str) -> None:
    schedule = parse(
        "0 9 * * *",
        start_at=START + timedelta(days=2),
        end_at=START + timedelta(days=31),
        windows=["08:00-18:00 on weekdays"],
        calendars=[Dates(["2026-01-06"], name="inventory")],
    )
    gate = compile_schedule(schedule).gate
    assert gate is not None
    assert gate.refusal(utc(instant)) == (reason, message)
    assert gate.refusal(utc("2026-01-05T09:00:00")) is None


def test_a_delay_without_an_anchor_stays_as_it_is() -> None:
    assert compile_schedule(parse("@every 90s")) == (("@every 90s",), None)


@pytest.mark.parametrize(("expression", "anchor"), [("*/20 * * * * *", None), ("@every 90s", START)])
def test_a_cron_job_starts_at_full_minutes(expression: str, anchor: datetime | None) -> None:
    with pytest.raises(ScheduleError, match="mode: Daemon"):
        compile_schedule(parse(expression, anchor=anchor))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(ZONES),
    st.sampled_from([None, *(DaylightSaving(gap, overlap) for gap in Gap for overlap in Overlap)]),
    st.sampled_from([(), ("08:00-18:30 on weekdays",), ("22:00-03:00 on fri,sat", "not between 23:00-23:30")]),
    st.sampled_from([None, "L", "LW", "15W", "L-3,3"]),
    st.sampled_from([None, *Excluded]),
)
def test_superset_and_gate(
    random_seed: int,
    zone: str,
    policy: DaylightSaving | None,
    windows: tuple[str, ...],
    days: str | None,
    excluded: Excluded | None,
) -> None:
    fields = random_expression(Random(random_seed)).split()
    assume(len(fields) == 5)
    fields[0] = ("0", "*/30", "7,8")[random_seed % 3]
    if days is not None:
        fields[2] = days
    try:
        schedule = parse(
            " ".join(fields),
            time_zone=zone,
            daylight_saving=policy,
            windows=windows,
            calendars=[Dates(["2026-03-06", "2026-04-24", "2026-04-25"])] if excluded else (),
            excluded=excluded,
        )
    except ScheduleError:
        assume(False)
        raise
    _check(schedule, 150)
