"""Other libraries, where they are right: plain fields in UTC, without steps in both day fields."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest

from tests.unit.timetable.helpers import ticks_after, utc
from timewright.timetable import parse

START = utc("2026-01-15T10:11:12")
EXPRESSIONS = (
    "*/5 * * * *",
    "0 */4 * * *",
    "15,45 6-18 * * 1-5",
    "0 0 1,15 * *",
    "30 3 * 2,8 *",
    "0 12 13 * 5",
    "59 23 31 12 *",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_croniter_agrees(expression: str) -> None:
    croniter = pytest.importorskip("croniter").croniter
    theirs = croniter(expression, START, ret_type=datetime)
    assert list(islice(ticks_after(parse(expression), START), 30)) == [theirs.get_next() for _ in range(30)]


@pytest.mark.parametrize("expression", [*EXPRESSIONS, "0 0 L * *", "0 0 LW * *", "0 0 * * 1#2", "0 0 * * 5L"])
def test_cronsim_agrees(expression: str) -> None:
    cronsim = pytest.importorskip("cronsim").CronSim
    assert list(islice(ticks_after(parse(expression), START), 12)) == list(islice(cronsim(expression, START), 12))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_looking_minute_by_minute_agrees(expression: str) -> None:
    schedule = parse(expression)
    minutes = (START.replace(second=0) + timedelta(minutes=minute) for minute in range(1, 3_000))
    expected = [minute for minute in minutes if schedule.includes(minute)]
    assert list(schedule.between(START, START + timedelta(minutes=2_999))) == expected
