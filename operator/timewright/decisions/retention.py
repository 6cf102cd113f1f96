"""Which records and Jobs have outlived their use?"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from timewright.decisions.observed import ObservedJob, ObservedRun
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import Outcome


def expired_runs(
    runs: Iterable[ObservedRun], counted: Collection[str], spec: ScheduledTaskSpec, now: datetime
) -> list[ObservedRun]:
    """Return the TaskRuns to remove: beyond the limit of their kind of outcome, or too old. Uncounted ones stay."""
    finished = [run for run in runs if run.finished and not run.deleting and run.name in counted]
    finished.sort(key=lambda run: (_finish(run), run.created_at, run.name), reverse=True)
    succeeded = [run for run in finished if run.outcome is Outcome.SUCCEEDED]
    others = [run for run in finished if run.outcome is not Outcome.SUCCEEDED]
    beyond = succeeded[spec.successful_runs_history_limit :] + others[spec.failed_runs_history_limit :]
    if spec.runs_history_max_age_seconds is None:
        return beyond
    oldest = now - timedelta(seconds=spec.runs_history_max_age_seconds)
    gone = {run.name for run in beyond}
    return beyond + [run for run in finished if run.name not in gone and _finish(run) < oldest]


def next_expiry(runs: Iterable[ObservedRun], spec: ScheduledTaskSpec) -> datetime | None:
    """Return when the next TaskRun becomes too old, if age matters."""
    if spec.runs_history_max_age_seconds is None:
        return None
    finishes = [_finish(run) for run in runs if run.finished and not run.deleting]
    return min(finishes) + timedelta(seconds=spec.runs_history_max_age_seconds) if finishes else None


def expired_jobs(jobs: Iterable[ObservedJob], recorded: Collection[str], spec: ScheduledTaskSpec) -> list[ObservedJob]:
    """Return the finished Jobs to remove: recorded, and beyond the user's own limits. Newest stay, as natively."""
    finished = [job for job in jobs if job.finished and not (job.deleted or job.deleting)]
    finished.sort(key=lambda job: (job.start_time or job.created_at, job.name), reverse=True)
    succeeded = [job for job in finished if job.succeeded]
    failed = [job for job in finished if not job.succeeded]
    beyond = succeeded[spec.successful_jobs_history_limit :] + failed[spec.failed_jobs_history_limit :]
    return [job for job in beyond if job.task_run_name in recorded]


def _finish(run: ObservedRun) -> datetime:
    return run.completion_time or run.created_at
