"""The native dialect against robfig/cron v3 on random cases: the same ticks, and the same expressions rejected.

Each run draws a fresh seed and prints it. To repeat one: ``TIMEWRIGHT_ORACLE_SEED=… pytest tests/oracle``;
``TIMEWRIGHT_ORACLE_CASES`` sets how many cases are compared.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.oracle.random_cases import random_case
from tests.oracle.robfig import Answer, Case, Robfig, is_available
from timewright.timetable import Dialect, NeverFiresError, ScheduleError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not is_available(), reason="needs a Go toolchain: the oracle is robfig/cron itself"),
]
SEED = int(os.environ.get("TIMEWRIGHT_ORACLE_SEED") or Random().randrange(2**32))
CASES = int(os.environ.get("TIMEWRIGHT_ORACLE_CASES") or 20_000)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Robfig]:
    with Robfig() as running:
        yield running


def test_random_cases(oracle: Robfig, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nTIMEWRIGHT_ORACLE_SEED={SEED} TIMEWRIGHT_ORACLE_CASES={CASES}")
    random = Random(SEED)
    cases = [random_case(random) for _ in range(CASES)]
    _compare(oracle, cases, f"seed {SEED}")


@pytest.mark.parametrize(
    "expression",
    [
        ", 0 * * *",
        "0 0 , * *",
        "0 0 , * 1",
        "0,,5 0 * * *",
        "+5 +0 * * *",
        "*-7 0 * * *",
        "?-x/20 0 * * *",
        "*/1 0 */1 * 1",
        "0 0 */2 * 1",
        "0 0 1-31 * 1",
        "0 0 * * 0-6",
        "0 0 * * 7",
        "0 0 0 * *",
        "0 0 31 2 *",
        "58-58 * * * *",
        "9223372036854775807 * * * *",
        "9223372036854775808 * * * *",
        "*/9223372036854775807 0 * * *",
        f"{'0' * 5000}7 0 * * *",
        f"{'7' * 5000} 0 * * *",
        f"@every {'0' * 5000}7s",
        f"@every {'7' * 5000}s",
        "*/99999999999999999999 0 * * *",
        "1/2/3 * * * *",
        "1-2-3 * * * *",
        "0 0 * JAN-mar fri-SAT",
        "0 0 * * FRİ",
        "0 0 * * ſun",
        "0\u00a00\u2003*\u3000*\u0085*",
        "0\x1c0 * * *",
        " 0 0 * * * ",
        "",
        " ",
        "@daily",
        " @daily",
        "@daily ",
        "@Daily",
        "@reboot",
        "@every",
        "@every ",
        "@every 0",
        "@every -5h",
        "@every 1.5h",
        "@every 1h1.9999999999999999999s",
        "@every .s",
        "@every 5",
        "@every  5s",
        "@every 2562047h47m16.854775807s",
        "@every 2562047h47m16.854775808s",
        "@every 1µs",
        "@every 1μs",
        "@every 3d",
    ],
)
def test_edges_of_the_grammar(oracle: Robfig, expression: str) -> None:
    _compare(oracle, [Case(expression, "Europe/Berlin", 1_700_000_000)], "by hand")


@pytest.mark.parametrize(
    ("expression", "zone", "after"),
    [
        ("0 0 * * *", "Australia/Lord_Howe", "2026-10-03T13:00:00"),
        ("0 0 4,20 * *", "Australia/Lord_Howe", "2026-10-03T13:00:00"),
        ("30 12 * * *", "Asia/Beirut", "2026-03-27T00:00:00"),
        ("0 0 * * *", "Africa/Cairo", "2026-04-22T00:00:00"),
        ("0 0 * * *", "America/Havana", "2026-10-30T00:00:00"),
        ("0 0 1 * *", "America/Asuncion", "2017-09-20T00:00:00"),
        ("0 0 * 6,11 *", "America/Asuncion", "2017-06-20T00:00:00"),
        ("0,30 0,1 * * *", "America/St_Johns", "2010-11-06T00:00:00"),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00:00"),
        ("0 0 29 2 *", "UTC", "2099-03-01T00:00:00"),
        ("30 2 * * *", "Africa/Monrovia", "1971-12-30T00:00:00"),
    ],
)
def test_oddities_of_the_walk(oracle: Robfig, expression: str, zone: str, after: str) -> None:
    instant = int(datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp())
    _compare(oracle, [Case(expression, zone, instant + second, 100) for second in range(0, 90_000, 1_799)], after)


def _compare(oracle: Robfig, cases: list[Case], origin: str) -> None:
    differences = []
    for case, theirs in zip(cases, oracle.ask(cases), strict=True):
        if theirs.endless:
            continue
        ours = _answer(case)
        if ours is None:
            # Rejected, as never firing. A walk thrown into a month unasked may find a tick there all the same.
            ours = theirs._replace(rejected="")
        # The reasons are worded differently; that there is one is compared.
        if (ours.ticks, bool(ours.rejected)) != (theirs.ticks, bool(theirs.rejected)):
            differences.append(f"{case}\n  ours:   {ours}\n  theirs: {theirs}")
    assert not differences, f"{len(differences)} of {len(cases)} differ ({origin}):\n" + "\n".join(differences[:5])


def _answer(case: Case) -> Answer | None:
    try:
        schedule = parse(case.expression, time_zone=case.zone, dialect=Dialect.NATIVE)
    except NeverFiresError:
        return None
    except ScheduleError as error:
        return Answer([], str(error))
    ticks: list[int] = []
    tick = schedule.next_after(datetime.fromtimestamp(case.after, UTC))
    while tick is not None and len(ticks) < case.limit:
        ticks.append(int(tick.timestamp()))
        tick = schedule.next_after(tick)
    return Answer(ticks)
