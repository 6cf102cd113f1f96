"""What `docs/running.md` says of ticks, reasons and code is what happens."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from timewright.decisions.policies import MissedRuns, Policies
from timewright.decisions.rules import Rules
from timewright.decisions.task_state import TaskState
from timewright.decisions.ticks import decide
from timewright.resources.vocabulary import MissedRunsPolicy, Outcome, Reason
from timewright.timetable.parsing import parse

PAGE = (Path(__file__).parents[3] / "docs" / "running.md").read_text()
MISSED = re.findall(r"^\| (`policy: .*?) \|(.*)\|(.*)\|$", PAGE, re.MULTILINE)
MAX_RUNS, MAX_AGE = re.compile(r"maxRuns: (\d+)"), re.compile(r"maxAgeSeconds: (\d+)")


def instant(time: str) -> int:
    return int(datetime.fromisoformat(f"2026-03-09T{time}Z").timestamp())


def started(policy: MissedRuns, now: str) -> list[str]:
    ticks = parse("*/10 * * * *", time_zone="UTC").ticks
    rules = Rules(ticks, "schedule", Policies(missed_runs=policy))
    decision = decide(rules, TaskState(instant("09:00"), "schedule"), instant(now))
    assert {end.reason for end in decision.end} <= {Reason.DOWNTIME}
    return [f"{datetime.fromtimestamp(each.scheduled_at, UTC):%H:%M}" for each in decision.start]


def missed_runs(said: str) -> MissedRuns:
    word, most, age = re.search(r"policy: (\w+)", said), MAX_RUNS.search(said), MAX_AGE.search(said)
    assert word
    return MissedRuns(MissedRunsPolicy(word[1]), int(most[1]) if most else 10, int(age[1]) if age else None)


@pytest.mark.parametrize(("said", "at_47", "at_50"), MISSED, ids=[said for said, *_ in MISSED])
def test_missed_ticks(said: str, at_47: str, at_50: str) -> None:
    assert started(missed_runs(said), "09:47") == at_47.split()
    assert started(missed_runs(said), "09:50") == at_50.split()


def test_the_default_for_missed_ticks() -> None:
    assert [missed_runs(said) for said, *_ in MISSED if "default" in said] == [MissedRuns()]
    assert {missed_runs(said).policy for said, *_ in MISSED} == set(MissedRunsPolicy)


def test_every_outcome_and_reason_is_told_and_no_other() -> None:
    section = PAGE[PAGE.index("## Outcomes and reasons") : PAGE.index("## Exit codes")]
    rows = re.findall(r"^\| (\w*) ?\| (\w[^|]*) \| [^|]*\| ?[^|]*\|", section, re.MULTILINE)
    outcomes = [outcome for outcome, _ in rows if outcome not in ("", "outcome")]
    reasons = {reason for outcome, listed in rows if outcome != "outcome" for reason in listed.split(", ")}
    assert outcomes == list(Outcome)
    assert reasons == set(Reason)


def test_the_wages_are_paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, more = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    monkeypatch.setenv("TIMEWRIGHT_STORE", f"sqlite://{tmp_path}/state.db")
    names: dict[str, Any] = {}
    exec(code, names)
    schedule = names["schedule"]

    run = schedule.run_now("pay_wages")

    assert (run.outcome, run.output.startswith("paying the wages of ")) == (Outcome.SUCCEEDED, True)
    assert [tick.astimezone(UTC).day for task in schedule.list() for tick in task.next_ticks] == [25]
    exec(more, names)
    assert [task.key for task in schedule.tasks("one of many machines")] == ["payroll/pay_wages", "payroll/sync_stock"]
