"""Second step: every Job has its TaskRun, and every TaskRun tells how its Job goes."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from timewright.cluster import metrics
from timewright.cluster.api import JOBS, PODS, TASK_RUNS, ApiError
from timewright.cluster.observe import observe_job, observe_pod
from timewright.controller import events
from timewright.controller.context import Sync
from timewright.controller.daemons import DaemonKey
from timewright.controller.notify import tell_end, tell_long, tell_started
from timewright.decisions import run_status
from timewright.decisions.observed import ObservedJob, ObservedPod, ObservedRun
from timewright.decisions.result import Obstacle, Result, obstacle_of, result_of
from timewright.desired import names
from timewright.desired.task_run import build_task_run
from timewright.resources.definition import nominal_time_from_job_name
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.task_run import TaskRunStatus
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome, Phase, Reason, Trigger

logger = logging.getLogger(__name__)

START_GRACE = timedelta(seconds=5)
"""How long a Job may take to have a running Pod before the Pod is asked what keeps it."""

NAME_TAKEN_SECONDS = 30.0
"""When to try again to record a run whose name a TaskRun of somebody else's has."""


async def record_runs(sync: Sync) -> None:
    """Create TaskRuns for Jobs that have none, and bring the status of unfinished TaskRuns up to date."""
    store = sync.operator.store
    counted = set(sync.status.counted_runs)
    jobs = sorted(store.jobs.of(sync.key), key=lambda job: job.created_at)
    await _create_missing(sync, jobs, counted)
    for run in store.runs.of(sync.key):
        if run.finished or run.deleting or is_settled_by_daemon(sync, run):
            continue
        job_of_run = next((job for job in jobs if belongs_to(job, run)), None)
        if job_of_run is not None:
            await _follow(sync, run, job_of_run)
        elif run.job_uid is not None:
            await _settle_without_job(sync, run)
        elif run.daemon is not None:
            await _settle_without_daemon(sync, run)
        elif run.trigger is Trigger.SCHEDULE:
            await _settle_unclaimed(sync, run)
    for job in jobs:
        if job.deleted and (job.task_run_name in counted or not _is_awaited(sync, job)):
            store.jobs.drop(sync.key, job.name, job.uid)


async def record_native_runs(sync: Sync) -> None:
    """Do the same for no more than the Jobs that the task's CronJob made, while a daemon decides the ticks."""
    store = sync.operator.store
    jobs = [job for job in store.jobs.of(sync.key) if job.daemon is None and job.controller_uid != sync.task.uid]
    await _create_missing(sync, jobs, set(sync.status.counted_runs))
    for run in store.runs.of(sync.key):
        if run.finished or run.deleting or run.daemon is not None:
            continue
        job_of_run = next((job for job in jobs if belongs_to(job, run)), None)
        if job_of_run is not None:
            await _follow(sync, run, job_of_run)
    for job in store.jobs.of(sync.key):
        if job.deleted and not _is_awaited(sync, job):
            store.jobs.drop(sync.key, job.name, job.uid)


def is_settled_by_daemon(sync: Sync, run: ObservedRun) -> bool:
    """Tell whether there is a daemon that tells how a run ends, whoever decides the task's ticks by now."""
    key = DaemonKey(sync.key.namespace, run.daemon or "")
    return run.daemon is not None and key in sync.operator.store.daemons.records


async def _create_missing(sync: Sync, jobs: list[ObservedJob], counted: set[str]) -> None:
    """Create the TaskRuns of Jobs that a CronJob made. A daemon has counted its own, with or without a TaskRun."""
    store = sync.operator.store
    for job in jobs:
        ours = job.run_name is None and job.daemon is None
        if ours and store.runs.find(sync.key, job.name) is None and job.name not in counted:
            await create_run(sync, job.name, job.scheduled_at or nominal_time_from_job_name(job.name))


def belongs_to(job: ObservedJob, run: ObservedRun) -> bool:
    """Tell whether that Job runs that TaskRun.

    By more than the name: a TaskRun may have been made anew under the name of an earlier one, or of a tick.
    """
    if run.job_uid is not None:
        return job.uid == run.job_uid
    if run.trigger is Trigger.SCHEDULE:
        return job.run_name is None and job.name == run.name
    return job.run_name == run.name and job.name == names.manual_job_name(run.name, run.uid)


def _is_awaited(sync: Sync, job: ObservedJob) -> bool:
    """Tell whether the end of a Job still has to be written into a TaskRun."""
    return any(belongs_to(job, run) and not run.finished for run in sync.operator.store.runs.of(sync.key))


async def create_run(sync: Sync, name: str, scheduled_at: datetime | None) -> bool:
    """Record that a tick has started a run; tell whether that is done, or has to wait for the name.

    The deterministic name makes a second record impossible.
    """
    store, api = sync.operator.store, sync.operator.api
    manifest = build_task_run(
        sync.key.namespace,
        sync.task.name,
        sync.task.uid,
        name=name,
        scheduled_at=scheduled_at,
    )
    try:
        store.put_run(await api.create(TASK_RUNS, manifest))
    except ApiError as error:
        if not error.conflict:
            raise
        existing = await api.get(TASK_RUNS, sync.key.namespace, name)
        owners = existing["metadata"].get("ownerReferences") or []
        if any(owner["uid"] == sync.task.uid for owner in owners):
            store.put_run(existing)
            return True
        # Of an earlier task of this name, on its way out, or made by hand for another: the name may become free.
        logger.warning("TaskRun %s/%s is another task's; its tick waits to be recorded", sync.key.namespace, name)
        sync.wake_in(NAME_TAKEN_SECONDS)
        return False
    return True


async def _follow(sync: Sync, run: ObservedRun, job: ObservedJob) -> None:
    """Bring a run's status up to date with its Job."""
    if job.finished:
        pods = [] if job.deleted else await _pods(sync, job)
        result = result_of(job, pods)
        if job.failure_reason == "DeadlineExceeded" and run.status.get("reason") == Reason.IMAGE_PULL_FAILED.value:
            # It was ended for that; the deadline is only how.
            text = run.status.get("message") or ""
            result = replace(result, reason=Reason.IMAGE_PULL_FAILED.value, message=text)
        await finish_run(sync, run, job, result)
    elif job.deleted or job.deleting:
        await finish_run(sync, run, job, _cancelled(sync, job))
    else:
        obstacle = await _find_obstacle(sync, run, job)
        is_new = run.phase is not Phase.RUNNING
        if await write_run_status(sync, run, run_status.running(run, job, obstacle)) and is_new:
            tell_started(sync, run, job)
        tell_long(sync, run, job)


def _cancelled(sync: Sync, job: ObservedJob) -> Result:
    """Tell why a Job that had not finished was deleted."""
    policy = sync.verdict.spec.concurrency_policy if sync.verdict.spec else None
    # Timestamps are whole seconds, so a successor may seem as old as what it replaced.
    others = [each for each in sync.operator.store.jobs.of(sync.key) if each.uid != job.uid]
    later = [each for each in others if each.created_at >= job.created_at and not each.deleted]
    if policy is ConcurrencyPolicy.REPLACE and later:
        successor = min(later, key=lambda each: each.created_at).task_run_name
        return Result(
            Outcome.CANCELLED, Reason.REPLACED.value, f"run {successor!r} replaced it (concurrencyPolicy is Replace)"
        )
    return Result(Outcome.CANCELLED, Reason.JOB_DELETED.value, f"Job {job.name!r} was deleted before it finished")


async def _settle_without_job(sync: Sync, run: ObservedRun) -> None:
    """Settle a run whose Job is not known: ask the API server itself, and if it is gone the run is Lost."""
    if run.job_name is not None:
        try:
            body = await sync.operator.api.get(JOBS, sync.key.namespace, run.job_name)
            if body["metadata"]["uid"] == run.job_uid:
                sync.operator.store.put_job(body)
                await _follow(sync, run, observe_job(body))
                return
        except ApiError as error:
            if not error.not_found:
                raise
    text = f"Job {run.job_name!r} was removed while the operator was not looking; whether it finished is not known"
    await finish_run(sync, run, None, Result(Outcome.LOST, Reason.JOB_VANISHED.value, text))


async def _settle_unclaimed(sync: Sync, run: ObservedRun) -> None:
    """Settle a TaskRun that claims to be of the schedule, but has no Job."""
    if run.owner_uid == sync.task.uid:
        text = f"no Job named {run.name!r} was found; whether it ran is not known"
        result = Result(Outcome.LOST, Reason.JOB_VANISHED.value, text)
    else:
        text = "spec.trigger: Schedule is written by the operator alone; leave it out to run the task now"
        result = Result(Outcome.FAILED, Reason.INVALID_TRIGGER.value, text)
    await finish_run(sync, run, None, result)


async def _settle_without_daemon(sync: Sync, run: ObservedRun) -> None:
    """Settle a run in the process of a daemon that is no more."""
    text = f"TaskDaemon {run.daemon!r}, which ran it, was removed; how it ended is not known"
    await finish_run(sync, run, None, Result(Outcome.LOST, Reason.OWNER_GONE.value, text))


async def finish_run(sync: Sync, run: ObservedRun, job: ObservedJob | None, result: Result) -> None:
    """Write how a run ended, and tell whoever listens."""
    status = run_status.finished(run, job, result, sync.now)
    if not await write_run_status(sync, run, status):
        return
    metrics.runs.labels(result.outcome.value, metrics.known_reason(result.reason), run.trigger.value).inc()
    if status.start_delay_seconds is not None:
        metrics.start_delay.observe([status.start_delay_seconds])
    tell_end(sync, run, result, status)
    if result.outcome in (Outcome.FAILED, Outcome.LOST):
        await events.warn(sync, f"Run{result.outcome.value}", "Run", f"{run.name}: {result.reason}: {result.message}")


async def write_run_status(sync: Sync, run: ObservedRun, status: TaskRunStatus) -> bool:
    """Write a run's status if it differs; tell whether it was written.

    The write names the version that was looked at, so an outcome is never overwritten.
    """
    wanted = status.to_manifest()
    kept = {key: value for key, value in wanted.items() if run.status.get(key) != value}
    gone = {key: None for key in ("reason", "message") if key in run.status and key not in wanted}
    if not kept and not gone:
        return False
    body: dict[str, Any] = {"metadata": {"resourceVersion": run.resource_version}, "status": {**kept, **gone}}
    try:
        answer = await sync.operator.api.merge_patch(TASK_RUNS, sync.key.namespace, run.name, body, "status")
    except ApiError as error:
        if error.not_found:
            sync.operator.store.runs.drop(sync.key, run.name, run.uid)
            return False
        raise
    sync.operator.store.put_run(answer)
    return True


async def _find_obstacle(sync: Sync, run: ObservedRun, job: ObservedJob) -> Obstacle | None:
    """Ask the Pods of a Job that does not get going what keeps them, and give up on an image that cannot be had."""
    if job.ready or job.suspended or job.start_time is None:
        return None
    waited = sync.now - job.start_time
    if waited < START_GRACE:
        sync.wake_in((START_GRACE - waited).total_seconds() + 0.5)
        return None
    sync.wake_in(min(max(waited.total_seconds() / 2, 5.0), 60.0))
    obstacle = obstacle_of(await _pods(sync, job)) or _recorded_obstacle(run)
    if obstacle is not None and obstacle.reason == Reason.IMAGE_PULL_FAILED.value:
        await _give_up_pulling(sync, run, job, obstacle, waited)
    return obstacle


def _recorded_obstacle(run: ObservedRun) -> Obstacle | None:
    """Return the pull failure on record: the Pod may be gone already, while its Job has still to end."""
    if run.status.get("reason") != Reason.IMAGE_PULL_FAILED.value:
        return None
    return Obstacle(Reason.IMAGE_PULL_FAILED.value, run.status.get("message") or "", hopeless=False)


async def _give_up_pulling(
    sync: Sync, run: ObservedRun, job: ObservedJob, obstacle: Obstacle, waited: timedelta
) -> None:
    """Have the Job controller end a Job whose image cannot be pulled, once its deadline is over."""
    deadline = (sync.verdict.spec or ScheduledTaskSpec()).image_pull_deadline_seconds
    if deadline == 0:
        return
    if not obstacle.hopeless and waited.total_seconds() < deadline:
        sync.wake_in(deadline - waited.total_seconds() + 0.5)
        return
    if run.status.get("reason") != Reason.IMAGE_PULL_FAILED.value:
        sync.wake_in(0.5)  # its reason has to be on record first, or the Job's end would look like a time-out
        return
    seconds = max(1, int(waited.total_seconds()))
    if job.active_deadline is None or job.active_deadline > seconds:
        body = {"spec": {"activeDeadlineSeconds": seconds}}
        answer = await sync.operator.api.merge_patch(JOBS, sync.key.namespace, job.name, body)
        sync.operator.store.put_job(answer)


async def _pods(sync: Sync, job: ObservedJob) -> list[ObservedPod]:
    selector = f"batch.kubernetes.io/controller-uid={job.uid}"
    return [
        observe_pod(body)
        async for page in sync.operator.api.list_all(PODS, sync.key.namespace, selector)
        for body in page
    ]
