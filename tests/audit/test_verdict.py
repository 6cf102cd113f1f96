"""The auditor finds what it is there to find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.audit.evidence import Edit, gather
from tests.audit.verdict import Verdict, judge
from tests.oracle.robfig import Robfig, is_available

pytestmark = [pytest.mark.oracle, pytest.mark.skipif(not is_available(), reason="needs a Go toolchain")]

CREATED = 1_767_225_600  # 2026-01-01T00:00:00Z
UNTIL = CREATED + 4


@pytest.fixture(scope="module")
def oracle() -> Iterator[Robfig]:
    with Robfig() as running:
        yield running


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second - CREATED:02}Z"


def trace(second: int, carrier: str = "1.0", *, ended: bool = True, trigger: str = "Schedule") -> list[str]:
    rest = f"task {at(second)} task-{second} {trigger} {carrier} {second}.0"
    return [f"start {rest}", *([f"end {rest}"] if ended else [])]


def record(second: int, outcome: str, reason: str = "Downtime", trigger: str = "Schedule") -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"task-{second}" if trigger == "Manual" else f"task-{second}-{outcome}",
            "uid": f"{second}-{outcome}",
        },
        "spec": {"taskRef": {"name": "task"}, "trigger": trigger, "scheduledAt": at(second)},
        "status": {"outcome": outcome, "reason": reason},
    }


def audited(
    oracle: Robfig,
    lines: list[str],
    records: list[dict[str, Any]],
    counters: dict[str, int],
    edits: Sequence[Edit] = (),
    **spec: Any,
) -> Verdict:
    task = {
        "metadata": {"name": "task", "creationTimestamp": at(CREATED)},
        "spec": {"schedule": "* * * * * *", **spec},
        "status": {"scheduledBy": "Daemon", "watermark": at(UNTIL), "counters": counters},
    }
    return judge(gather([task], [], records, lines, edits), UNTIL, oracle)


def every(*seconds: int) -> list[str]:
    return [line for each in seconds for line in trace(CREATED + each)]


def test_a_schedule_that_was_kept(oracle: Robfig) -> None:
    by_hand = trace(CREATED + 2, "7.7", trigger="Manual")
    records = [record(CREATED + 3, "Missed"), record(CREATED + 2, "Succeeded", "Completed", "Manual")]
    verdict = audited(oracle, [*every(1, 2, 4), *by_hand], records, {"succeeded": 4, "missed": 1})
    assert verdict.violations == []
    assert (verdict.ticks, verdict.started, dict(verdict.recorded)) == (4, 3, {"Missed/Downtime": 1})


def test_ticks_too_many_to_be_listed_are_counted(oracle: Robfig) -> None:
    verdict = audited(oracle, every(1), [], {"succeeded": 1, "missed": 3})
    assert verdict.violations == []
    assert verdict.counted == 3


def test_a_run_that_was_cut_off_and_started_anew(oracle: Robfig) -> None:
    lines = [*every(1, 2, 3), *trace(CREATED + 4, "1.9", ended=False), *trace(CREATED + 4, "2.0")]
    assert audited(oracle, lines, [], {"succeeded": 4}, onLost="Rerun").violations == []
    assert audited(oracle, lines, [], {"succeeded": 4}).duplicates == 1


@pytest.mark.parametrize(
    ("lines", "records", "counters", "words"),
    [
        ([*every(1, 2, 3, 4), *trace(CREATED + 4, "2.0")], [], {"succeeded": 4}, "started twice"),
        (every(1, 2, 3), [], {"succeeded": 4}, "neither started nor recorded"),
        (every(1, 2, 3), [], {"succeeded": 4}, "only 3 runs may have"),
        (every(1, 2, 3), [], {"succeeded": 3}, "the counters tell of 3"),
        (every(1, 2, 3), [record(CREATED + 4, "Lost", "")], {"succeeded": 3, "lost": 1}, "without a reason"),
        (every(1, 2, 3), [record(CREATED + 4, "Succeeded")], {"succeeded": 4}, "nothing ever ran"),
        (
            every(1, 2, 3),
            [record(CREATED + 4, "Missed"), record(CREATED + 4, "Lost")],
            {"succeeded": 3, "missed": 1},
            "several outcomes",
        ),
        (
            [*every(1, 2, 3), *trace(CREATED + 4, ended=False)],
            [record(CREATED + 4, "Succeeded")],
            {"succeeded": 4},
            "no run of it ended",
        ),
    ],
)
def test_what_is_wrong_is_found(
    oracle: Robfig, lines: list[str], records: list[dict[str, Any]], counters: dict[str, int], words: str
) -> None:
    verdict = audited(oracle, lines, records, counters)
    assert any(words in each for each in verdict.violations), verdict.violations


def test_a_task_that_stands_still_is_found(oracle: Robfig) -> None:
    task = {
        "metadata": {"name": "task", "creationTimestamp": at(CREATED)},
        "spec": {"schedule": "* * * * * *"},
        "status": {"scheduledBy": "Daemon", "watermark": at(UNTIL - 2), "counters": {"succeeded": 2}},
    }
    verdict = judge(gather([task], [], [], every(1, 2)), UNTIL, oracle)
    assert any("decided until" in each for each in verdict.violations)


def test_what_is_kept_back_until_a_task_is_resumed_is_no_matter_yet(oracle: Robfig) -> None:
    task = {
        "metadata": {"name": "task", "creationTimestamp": at(CREATED)},
        "spec": {"schedule": "* * * * * *"},
        "status": {
            "scheduledBy": "Daemon",
            "watermark": at(UNTIL - 2),
            "counters": {"succeeded": 2},
            "decided": {"suspended": True},
        },
    }
    assert judge(gather([task], [], [], every(1, 2)), UNTIL, oracle).violations == []
    begun = judge(gather([task], [], [], every(1, 2, 3)), UNTIL, oracle)
    assert any("kept back" in each for each in begun.violations)
    assert judge(gather([task], [], [], every(1, 2)), UNTIL + 60, oracle).violations


def test_a_start_between_ticks_is_found(oracle: Robfig) -> None:
    verdict = audited(oracle, every(2, 3), [], {"succeeded": 1, "missed": 1}, schedule="*/2 * * * * *")
    assert any("no tick" in each for each in verdict.violations)


def edit(before: dict[str, Any], after: dict[str, Any], at: int) -> Edit:
    return Edit("task", before, after, CREATED + at, CREATED + at + 1)


def test_around_an_edit_both_schedules_are_right(oracle: Robfig) -> None:
    changed = edit({"schedule": "* * * * * *"}, {"schedule": "*/4 * * * * *"}, 2)
    for seconds in ((1, 2, 3, 4), (1, 2, 4), (1, 3, 4), (1, 4)):
        counters = {"succeeded": len(seconds)}
        verdict = audited(oracle, every(*seconds), [], counters, [changed], schedule="*/4 * * * * *")
        assert verdict.violations == []
    verdict = audited(oracle, every(2, 4), [], {"succeeded": 2}, [changed], schedule="*/4 * * * * *")
    assert any("neither started nor recorded" in each for each in verdict.violations)


def test_a_start_of_a_suspended_task_is_found(oracle: Robfig) -> None:
    spec = {"schedule": "* * * * * *"}
    paused = edit(spec, {**spec, "suspend": True}, 1)
    skipped = [record(CREATED + each, "Skipped", "Suspended") for each in (3, 4)]
    assert audited(oracle, every(1, 2), skipped, {"succeeded": 2, "skipped": 2}, [paused]).violations == []
    verdict = audited(oracle, every(1, 2, 3), skipped[1:], {"succeeded": 3, "skipped": 1}, [paused])
    assert any("suspended" in each for each in verdict.violations)


def test_runs_at_once_are_found(oracle: Robfig) -> None:
    lines = [
        f"{what} task {at(CREATED + tick)} task-{tick} Schedule 1.{tick} {CREATED + begins + offset}"
        for tick, begins, length in ((1, 1, 1.5), (2, 2, 0.1), (3, 3, 0.1), (4, 4, 0.1))
        for what, offset in (("start", 0.0), ("end", length))
    ]
    assert audited(oracle, lines, [], {"succeeded": 4}).violations == []
    verdict = audited(oracle, lines, [], {"succeeded": 4}, concurrencyPolicy="Forbid")
    assert any("at once" in each for each in verdict.violations)


def test_runs_by_hand_are_judged(oracle: Robfig) -> None:
    lines = [
        *every(1, 2, 3, 4),
        *trace(CREATED + 2, "7.7", trigger="Manual"),
        *trace(CREATED + 2, "7.8", trigger="Manual"),
    ]
    untold = record(CREATED + 2, "", "", "Manual") | {"status": {}}
    verdict = audited(oracle, lines, [untold], {"succeeded": 4})
    assert any("has no outcome" in each for each in verdict.violations)
    assert any("started twice" in each for each in verdict.violations)
