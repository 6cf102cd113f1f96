"""Last step: records and Jobs that have outlived their use go.

Comes after the status is written, since a TaskRun may go only once it is counted and a Job only once it is recorded.
"""

from __future__ import annotations

from dataclasses import replace

from timewright.cluster.api import JOBS, TASK_RUNS, ApiError
from timewright.controller.context import Sync
from timewright.decisions.observed import ObservedJob
from timewright.decisions.retention import expired_jobs, expired_runs, next_expiry
from timewright.desired.cron_job import time_to_live
from timewright.resources.scheduled_task import ScheduledTaskSpec


async def remove_expired(sync: Sync) -> None:
    """Remove TaskRuns and Jobs beyond the user's limits, and let the user's own time-to-live of Jobs begin."""
    spec, store, api = sync.verdict.spec, sync.operator.store, sync.operator.api
    if spec is None:
        return  # limits that cannot be read remove nothing
    counted = set(sync.status.counted_runs)
    jobs = store.jobs.of(sync.key)
    await _remove_jobs(sync, jobs, counted | _settled_by_daemons(sync, jobs), spec)
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


async def remove_native_jobs(sync: Sync) -> None:
    """Remove Jobs of the task's CronJob beyond the user's limits, while a daemon decides the ticks."""
    spec, store = sync.verdict.spec, sync.operator.store
    if spec is None:
        return
    jobs = [job for job in store.jobs.of(sync.key) if job.daemon is None and job.controller_uid != sync.task.uid]
    recorded = {run.name for run in store.runs.of(sync.key) if run.finished} | set(sync.status.counted_runs)
    await _remove_jobs(sync, jobs, recorded, spec)


async def _remove_jobs(sync: Sync, jobs: list[ObservedJob], recorded: set[str], spec: ScheduledTaskSpec) -> None:
    for job in expired_jobs(jobs, recorded, spec):
        await sync.operator.api.delete(JOBS, sync.key.namespace, job.name, job.uid)
        sync.operator.store.jobs.revise(sync.key, replace(job, deleting=True))


def _settled_by_daemons(sync: Sync, jobs: list[ObservedJob]) -> set[str]:
    """Return the names of the runs of daemons' Jobs: counted, unless a TaskRun still waits for its outcome."""
    awaited = {run.name for run in sync.operator.store.runs.of(sync.key) if not run.finished}
    return {job.task_run_name for job in jobs if job.daemon is not None} - awaited


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
