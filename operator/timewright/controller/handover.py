"""Before all other steps: who decides the ticks of the task, and are they to change hands? See `decisions.ownership`.

Every step here may be interrupted and repeated. What the other side can see changes in one write, of the task's status,
which names the version that was looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from timewright.cluster.api import CRON_JOBS, JOBS, ApiError
from timewright.cluster.observe import observe_cron_job, observe_job
from timewright.controller.application import stop_application
from timewright.controller.context import Sync
from timewright.controller.inheritance import Inheritance, inherit
from timewright.controller.reclaim import is_left_behind
from timewright.decisions.acceptance import Accepted
from timewright.decisions.handover import WAS_RUNNING, WAS_SUSPENDED, native_watermark, waits_for_ends
from timewright.decisions.observed import ObservedCronJob, ObservedJob
from timewright.decisions.ownership import DEPLOYMENT, NATIVE, Decider, present, wanted
from timewright.decisions.policies_of_spec import policies_of
from timewright.desired import names
from timewright.resources.scheduled_task import ScheduledTaskSpec

SETTLE_SECONDS = 3.0
"""How long a CronJob has to be suspended before it is taken to be at rest.

Its controller may still act on what it saw before; nothing in the CronJob tells that it has seen the suspension.
"""

UNCLAIMED_SECONDS = 15.0
"""How long a task that a daemon may have begun with, unseen, is left to that daemon to say so."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who decides the ticks during a reconciliation, and who from its end on."""

    now: Decider | None
    """None while it has yet to turn out."""
    then: Decider | None = None
    """Set where they change hands: what the status is to say."""
    watermark: datetime | None = None
    """The last tick that has been decided, where they change hands."""
    leaving: bool = False
    """Whether they are about to change hands, so that nothing new is applied."""
    waits_for: str | None = None
    """The Job that has to end before they do."""
    inheritance: Inheritance | None = None
    """What there is to take over from a daemon that is gone."""


async def take_turn(sync: Sync) -> Turn:
    """Tell who decides, and bring what is needed for another one to take over one step further."""
    spec = sync.verdict.spec or ScheduledTaskSpec()
    now = present(spec, sync.status, sync.task.generation)
    to = wanted(spec) if isinstance(sync.verdict, Accepted) else now
    if now is None and (to is None or await _has_begun(sync, to)):
        now = NATIVE
    if now is None:
        return _first_turn(sync, to)
    if to is None or now == to:
        for reason in ("settle", "unclaimed"):
            sync.operator.waits_no_more(reason, sync.task.uid)
        if now != NATIVE:
            await _keep_suspended(sync)
        return Turn(now)
    if now == NATIVE:
        return await _from_cron_job(sync, to)
    if now == DEPLOYMENT:
        stopped = await stop_application(sync)
        return Turn(DEPLOYMENT, NATIVE, sync.now, leaving=True) if stopped else Turn(DEPLOYMENT, leaving=True)
    await _keep_suspended(sync)
    left_behind = await is_left_behind(sync, now.daemon or "")
    if left_behind is None or _in_the_way(sync, sync.operator.store.jobs.of(sync.key)) is not None:
        return Turn(now)
    inheritance = inherit(sync, left_behind)
    return Turn(NATIVE, NATIVE, inheritance.watermark, leaving=True, inheritance=inheritance)


async def _has_begun(sync: Sync, to: Decider) -> bool:
    """Tell whether a task that nobody is said to decide has a CronJob; one that is to have one is looked for later."""
    if to == NATIVE:
        return bool(sync.operator.store.cron_jobs.find(sync.key, names.cron_job_name(sync.task.name)))
    return await _cron_job(sync) is not None


def _first_turn(sync: Sync, to: Decider | None) -> Turn:
    """Give a task that nobody decides to whom its spec says.

    One that is to have a CronJob may have been of another mode before, and a daemon may have begun with it without
    having said so yet.
    """
    if to == NATIVE:
        if not sync.operator.store.daemons.in_namespace(sync.key.namespace):
            return Turn(NATIVE)
        left = UNCLAIMED_SECONDS - sync.operator.waited("unclaimed", sync.task.uid)
        if left > 0:
            sync.wake_in(left)
            return Turn(None)
    return Turn(NATIVE, to, sync.status.watermark, leaving=True)


async def _from_cron_job(sync: Sync, to: Decider) -> Turn:
    """Suspend the CronJob and, once it is at rest, tell up to where it has decided."""
    found = await _cron_job(sync)
    if found is None:
        return Turn(NATIVE, to, native_watermark(sync.status, None, (), sync.now), leaving=True)
    active = _in_the_way(sync, sync.operator.store.jobs.of(sync.key))
    if not (found.suspended and found.handed_over):
        if active is not None and found.forbids_overlap and not found.suspended:
            return Turn(NATIVE, leaving=True, waits_for=active.name)  # it goes on to skip ticks meanwhile
        await _suspend(sync, found)
        sync.operator.waits_no_more("settle", sync.task.uid)
    left = SETTLE_SECONDS - sync.operator.waited("settle", sync.task.uid)
    if left > 0:
        sync.wake_in(left)
        return Turn(NATIVE, leaving=True)
    if active is not None:
        return Turn(NATIVE, leaving=True, waits_for=active.name)
    live = await _read(sync)
    if live is not None and not live.suspended:
        sync.operator.waits_no_more("settle", sync.task.uid)
        sync.wake_in(0.0)
        return Turn(NATIVE, leaving=True)
    selector = f"{names.TASK_LABEL}={sync.key.label}"
    pages = sync.operator.api.list_all(JOBS, sync.key.namespace, selector)
    jobs = [observe_job(body) async for page in pages for body in page]
    unseen = _in_the_way(sync, jobs)
    if unseen is not None:
        sync.wake_in(SETTLE_SECONDS)
        return Turn(NATIVE, leaving=True, waits_for=unseen.name)
    return Turn(NATIVE, to, native_watermark(sync.status, live, jobs, sync.now), leaving=True)


def _in_the_way(sync: Sync, jobs: Iterable[ObservedJob]) -> ObservedJob | None:
    """Return the Job that has to end before ticks change hands, if one has to."""
    if not (isinstance(sync.verdict, Accepted) and waits_for_ends(policies_of(sync.verdict.spec))):
        return None
    return min((job for job in jobs if job.active), key=lambda job: (job.created_at, job.name), default=None)


async def _keep_suspended(sync: Sync) -> None:
    """Suspend the CronJob again if somebody has resumed it, while something else decides."""
    found = sync.operator.store.cron_jobs.find(sync.key, names.cron_job_name(sync.task.name))
    ours = found is not None and found.controller_uid == sync.task.uid and not found.deleting
    if found is not None and ours and not (found.suspended and found.handed_over):
        await _suspend(sync, found)


async def _suspend(sync: Sync, found: ObservedCronJob) -> None:
    """Suspend a CronJob, and write on it what it was: then it can be told after a crash as well."""
    was = found.handed_over or (WAS_SUSPENDED if found.suspended else WAS_RUNNING)
    body = {"metadata": {"annotations": {names.HANDED_OVER_ANNOTATION: was}}, "spec": {"suspend": True}}
    try:
        answer = await sync.operator.api.merge_patch(CRON_JOBS, sync.key.namespace, found.name, body)
    except ApiError as error:
        if not error.not_found:
            raise
        sync.operator.store.cron_jobs.drop(sync.key, found.name, found.uid)
    else:
        sync.operator.store.put_cron_job(answer)


async def _cron_job(sync: Sync) -> ObservedCronJob | None:
    """Return the task's own CronJob. That the watch does not show it yet does not mean that there is none."""
    found = sync.operator.store.cron_jobs.find(sync.key, names.cron_job_name(sync.task.name))
    if found is not None:
        return found if found.controller_uid == sync.task.uid else None
    return await _read(sync)


async def _read(sync: Sync) -> ObservedCronJob | None:
    name = names.cron_job_name(sync.task.name)
    try:
        body = await sync.operator.api.get(CRON_JOBS, sync.key.namespace, name)
    except ApiError as error:
        if not error.not_found:
            raise
        return None
    found = observe_cron_job(body)
    if found.controller_uid != sync.task.uid:
        return None
    sync.operator.store.put_cron_job(body)
    return found
