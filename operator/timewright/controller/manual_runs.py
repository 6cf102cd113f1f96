"""Third step: TaskRuns made by hand start, or are told why not."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

from timewright.cluster.api import CRON_JOBS, JOBS, TASK_RUNS, ApiError
from timewright.cluster.observe import observe_job
from timewright.controller.context import Operator, Sync
from timewright.controller.record import finish_run, write_run_status
from timewright.controller.store import TaskKey
from timewright.decisions import run_status
from timewright.decisions.manual import Refuse, Start, admit
from timewright.decisions.observed import ObservedRun
from timewright.decisions.result import Result
from timewright.desired import names
from timewright.desired.cron_job import Manifest
from timewright.desired.manual_job import build_manual_job
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import Outcome, Reason, Trigger

logger = logging.getLogger(__name__)

TASK_GRACE = timedelta(seconds=10)
"""How long a TaskRun waits for its task to appear, since both may be created by one `kubectl apply`."""

_STATUS_TRIES = 5


async def start_manual_runs(sync: Sync) -> None:
    """Start every TaskRun made by hand that has neither Job nor outcome, in the order they were made."""
    runs = [run for run in sync.operator.store.runs.of(sync.key) if _is_new(run)]
    for run in sorted(runs, key=lambda each: (each.created_at, each.name)):
        await _start(sync, run)


async def refuse_manual_runs(sync: Sync) -> None:
    """End every TaskRun made by hand for an application that keeps running: nothing is left to be started."""
    text = (
        "the application keeps running in a Deployment of its own and starts what is due itself; to run a part of it "
        "by hand, make a task of that part"
    )
    for run in sync.operator.store.runs.of(sync.key):
        if _is_new(run):
            adopted = await _adopt(sync, run)
            await finish_run(sync, adopted, None, Result(Outcome.FAILED, Reason.TASK_NOT_READY.value, text))


def _is_new(run: ObservedRun) -> bool:
    new = run.trigger is Trigger.MANUAL and not run.finished and run.job_uid is None and not run.deleting
    return new and run.daemon is None


async def _start(sync: Sync, run: ObservedRun) -> None:
    operator, namespace = sync.operator, sync.key.namespace
    run = await _adopt(sync, run)
    try:
        cron_job = await operator.api.get(CRON_JOBS, namespace, names.cron_job_name(sync.task.name))
    except ApiError as error:
        if not error.not_found:
            raise
        await _wait_or_give_up(sync, run)
        return
    decision = admit(
        run,
        sync.verdict.spec or ScheduledTaskSpec(),
        operator.store.jobs.of(sync.key),
        operator.store.runs.of(sync.key),
    )
    if isinstance(decision, Refuse):
        await finish_run(sync, run, None, Result(decision.outcome, decision.reason.value, decision.message))
        return
    for job in decision.cancel:
        await operator.api.delete(JOBS, namespace, job.name, job.uid)
        operator.store.jobs.revise(sync.key, replace(job, deleting=True))
    await _create_job(sync, run, cron_job, decision)


async def _create_job(sync: Sync, run: ObservedRun, cron_job: Manifest, decision: Start) -> None:
    operator, namespace = sync.operator, sync.key.namespace
    manifest = build_manual_job(
        cron_job,
        run_name=run.name,
        run_uid=run.uid,
        requested_at=run.scheduled_at or run.created_at,
        parameters=decision.parameters,
    )
    try:
        job = await operator.api.create(JOBS, manifest)
    except ApiError as error:
        if error.refused or error.forbidden:
            text = f"Job {manifest['metadata']['name']!r} may not be created: {error.message}"
            await finish_run(sync, run, None, Result(Outcome.FAILED, Reason.JOB_REFUSED.value, text))
            return
        if not error.conflict:
            raise
        # The name is made from the run's UID: this is the Job of an earlier try, cut short before it was recorded.
        job = await operator.api.get(JOBS, namespace, manifest["metadata"]["name"])
    operator.store.put_job(job)
    await write_run_status(sync, run, run_status.running(run, observe_job(job), None))
    await _count_as_active(sync, cron_job, job)


async def _count_as_active(sync: Sync, cron_job: Manifest, job: Manifest) -> None:
    """List the Job in the CronJob's `status.active`, so that the native controller's overlap policy sees it too.

    The native controller counts only what is listed there, and lists only what it made; it removes the Job when it
    finishes, since the CronJob owns it (`syncCronJob` in Kubernetes' pkg/controller/cronjob).
    """
    reference = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "namespace": sync.key.namespace,
        "name": job["metadata"]["name"],
        "uid": job["metadata"]["uid"],
        "resourceVersion": job["metadata"]["resourceVersion"],
    }
    for _ in range(_STATUS_TRIES):
        active = (cron_job.get("status") or {}).get("active") or []
        if any(each.get("uid") == reference["uid"] for each in active):
            return
        body = {
            "metadata": {"resourceVersion": cron_job["metadata"]["resourceVersion"]},
            "status": {"active": [*active, reference]},
        }
        name = cron_job["metadata"]["name"]
        try:
            answer = await sync.operator.api.merge_patch(CRON_JOBS, sync.key.namespace, name, body, "status")
        except ApiError as error:
            if not error.conflict:
                raise
            cron_job = await sync.operator.api.get(CRON_JOBS, sync.key.namespace, name)
        else:
            sync.operator.store.put_cron_job(answer)
            return
    logger.warning(
        "CronJob %s/%s changes too fast to list a run by hand", sync.key.namespace, cron_job["metadata"]["name"]
    )


async def _adopt(sync: Sync, run: ObservedRun) -> ObservedRun:
    """Make the task the owner of a TaskRun made by hand, so that it goes when the task goes, and label it."""
    if run.owner_uid == sync.task.uid and run.labelled:
        return run
    body = {
        "apiVersion": "timewright.dev/v1alpha1",
        "kind": "TaskRun",
        "metadata": {
            "name": run.name,
            "namespace": sync.key.namespace,
            "uid": run.uid,
            "labels": names.labels(sync.task.name),
            "ownerReferences": [names.owned_by_task(sync.task.name, sync.task.uid)],
        },
    }
    answer = await sync.operator.api.apply(TASK_RUNS, body)
    version = answer["metadata"]["resourceVersion"]
    adopted = replace(run, owner_uid=sync.task.uid, labelled=True, resource_version=version)
    sync.operator.store.runs.revise(sync.key, adopted)
    return adopted


async def _wait_or_give_up(sync: Sync, run: ObservedRun) -> None:
    """Let a run wait a little for its task to be applied; then tell that it cannot."""
    age = sync.now - run.created_at
    text = f"ScheduledTask {sync.task.name!r} has no CronJob to run from; see its conditions"
    if age >= TASK_GRACE:
        await finish_run(sync, run, None, Result(Outcome.FAILED, Reason.TASK_NOT_READY.value, text))
        return
    sync.wake_in((TASK_GRACE - age).total_seconds() + 0.5)
    await write_run_status(sync, run, run_status.pending(run, Reason.TASK_NOT_READY.value, text))


async def refuse_orphans(operator: Operator, key: TaskKey) -> float | None:
    """End TaskRuns made by hand for a task that does not exist; return when to look again."""
    waiting = [run for run in operator.store.runs.of(key) if _is_new(run) and run.owner_uid is None]
    again: float | None = None
    for run in waiting:
        left = (TASK_GRACE - (operator.clock() - run.created_at)).total_seconds()
        if left > 0:
            again = left if again is None else min(again, left)
            continue
        text = f"spec.taskRef.name: there is no ScheduledTask {run.task_name!r} in namespace {key.namespace!r}"
        status = run_status.finished(
            run, None, Result(Outcome.FAILED, Reason.TASK_NOT_FOUND.value, text), operator.clock()
        )
        body: dict[str, Any] = {"metadata": {"resourceVersion": run.resource_version}, "status": status.to_manifest()}
        try:
            answer = await operator.api.merge_patch(TASK_RUNS, key.namespace, run.name, body, "status")
        except ApiError as error:
            if not error.not_found:
                raise
        else:
            operator.store.put_run(answer)
    return again
