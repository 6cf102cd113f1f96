"""What does a TaskRun's status say?"""

from __future__ import annotations

from datetime import datetime

from timewright.decisions.observed import ObservedJob, ObservedRun
from timewright.decisions.result import Obstacle, Result
from timewright.resources.conditions import condition
from timewright.resources.task_run import TaskRunStatus
from timewright.resources.vocabulary import Outcome, Phase

_MESSAGE_LIMIT = 4096


def pending(run: ObservedRun, reason: str, message: str) -> TaskRunStatus:
    """Return the status of a run that waits to be started."""
    return TaskRunStatus(phase=Phase.PENDING, reason=reason, message=message[:_MESSAGE_LIMIT], observed_generation=1)


def running(run: ObservedRun, job: ObservedJob, obstacle: Obstacle | None) -> TaskRunStatus:
    """Return the status of a run whose Job has not finished, and tell what keeps its Pod from starting, if anything."""
    return TaskRunStatus(
        observed_generation=1,
        phase=Phase.RUNNING,
        reason=obstacle.reason if obstacle else None,
        message=obstacle.message[:_MESSAGE_LIMIT] if obstacle else None,
        job_name=job.name,
        job_uid=job.uid,
        start_time=job.start_time,
        start_delay_seconds=_start_delay(run, job),
    )


def finished(run: ObservedRun, job: ObservedJob | None, result: Result, now: datetime) -> TaskRunStatus:
    """Return the final status of a run. Without a Job it ended before it started, or its Job is unknown."""
    completion = (job.finished_at if job is not None else None) or now
    succeeded = result.outcome is Outcome.SUCCEEDED
    text = result.message or result.reason
    kind = "Complete" if succeeded else "Failed"
    return TaskRunStatus(
        observed_generation=1,
        phase=Phase.FINISHED,
        outcome=result.outcome,
        reason=result.reason,
        message=result.message[:_MESSAGE_LIMIT] or None,
        job_name=job.name if job else run.job_name,
        job_uid=job.uid if job else run.job_uid,
        start_time=job.start_time if job else None,
        completion_time=completion,
        start_delay_seconds=_start_delay(run, job) if job else None,
        exit_code=result.exit_code,
        output=result.output,
        attempts=list(result.attempts),
        conditions=[condition(kind, True, result.reason, text[:_MESSAGE_LIMIT], now=now, generation=1)],
    )


def _start_delay(run: ObservedRun, job: ObservedJob) -> int | None:
    nominal = run.scheduled_at or run.created_at
    return max(0, round((job.start_time - nominal).total_seconds())) if job.start_time else None
