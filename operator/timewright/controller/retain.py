"""Last step: records and Jobs that have outlived their use go.

Comes after the status is written, since a TaskRun may go only once it is counted and a Job only once it is recorded.
"""

from __future__ import annotations

from dataclasses import replace

from timewright.controller.api import JOBS, TASK_RUNS, ApiError
from timewright.controller.context import Sync
from timewright.decisions.observed import ObservedJob
from timewright.decisions.retention import expired_jobs, expired_runs, next_expiry
from timewright.desired.cron_job import time_to_live


async def remove_expired(sync: Sync) -> None:
    """Remove TaskRuns and Jobs beyond the user's limits, and let the user's own time-to-live of Jobs begin."""
    spec, store, api = sync.verdict.spec, sync.operator.store, sync.operator.api
    if spec is None:
        return  # limits that cannot be read remove nothing
    counted = set(sync.status.counted_runs)
    for job in expired_jobs(store.jobs.of(sync.key), counted, spec):
        await api.delete(JOBS, sync.key.namespace, job.name, job.uid)
        store.jobs.revise(sync.key, replace(job, deleting=True))
    for run in expired_runs(store.runs.of(sync.key), counted, spec, sync.now):
        await api.delete(TASK_RUNS, sync.key.namespace, run.name, run.uid)
        store.runs.revise(sync.key, replace(run, deleting=True))
    expiry = next_expiry(store.runs.of(sync.key), spec)
    if expiry is not None:
        sync.wake_at(expiry)
    seconds = time_to_live(spec)
    if seconds is not None:
        for job in store.jobs.of(sync.key):
            if _may_expire(job) and job.task_run_name in counted:
                await _let_expire(sync, job, seconds)


async def _let_expire(sync: Sync, job: ObservedJob, seconds: int) -> None:
    body = {"spec": {"ttlSecondsAfterFinished": seconds}}
    try:
        answer = await sync.operator.api.merge_patch(JOBS, sync.key.namespace, job.name, body)
    except ApiError as error:
        if not error.not_found:
            raise
    else:
        sync.operator.store.put_job(answer)


def _may_expire(job: ObservedJob) -> bool:
    return job.finished and job.time_to_live is None and not (job.deleted or job.deleting)
