"""Short ways to say what was seen of Jobs, Pods and TaskRuns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from timewright.decisions.observed import ObservedContainer, ObservedJob, ObservedPod, ObservedRun
from timewright.resources.run_report import RunReport
from timewright.resources.vocabulary import Outcome

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """Return the instant so many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def job(name: str = "backup-29539440", **changes: Any) -> ObservedJob:
    defaults: dict[str, Any] = {"uid": f"uid of {name}", "created_at": NOON}
    return ObservedJob(name=name, **{**defaults, **changes})


def failed_job(
    reason: str = "BackoffLimitExceeded", message: str = "Job has reached the limit", **changes: Any
) -> ObservedJob:
    return job(succeeded=False, failure_reason=reason, failure_message=message, finished_at=at(1), **changes)


def done_job(**changes: Any) -> ObservedJob:
    return job(**{"succeeded": True, "finished_at": at(1), **changes})


def run(name: str = "backup-29539440", **changes: Any) -> ObservedRun:
    defaults: dict[str, Any] = {
        "uid": f"uid of {name}",
        "resource_version": "1",
        "task_name": "backup",
        "created_at": NOON,
    }
    return ObservedRun(name=name, **{**defaults, **changes})


def finished_run(name: str, outcome: Outcome = Outcome.SUCCEEDED, minutes: float = 0, **changes: Any) -> ObservedRun:
    return run(name, **{"outcome": outcome, "completion_time": at(minutes), "job_uid": f"job of {name}", **changes})


def container(name: str = "main", exit_code: int | None = None, **changes: Any) -> ObservedContainer:
    return ObservedContainer(name=name, exit_code=exit_code, **changes)


def pod(*containers: ObservedContainer, name: str = "pod-a", minutes: float = 0, **changes: Any) -> ObservedPod:
    return ObservedPod(name=name, created_at=at(minutes), containers=containers, **changes)


def reported(outcome: Outcome, reason: str, exit_code: int = 1, **report: Any) -> ObservedContainer:
    """Return the ended container `task` of a runner that left a report."""
    text = RunReport(outcome=outcome, reason=reason, exit_code=exit_code, **report).to_termination_message()
    return container("task", exit_code=0 if outcome is Outcome.SUCCEEDED else 1, message=text)
