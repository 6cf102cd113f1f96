"""Brings one task to its desired state. Reads top to bottom.

Level-triggered: it looks at what is, never at what happened, so it can be repeated, interrupted or started late and
ends in the same state. A task that is already in that state costs no request.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from timewright.cluster.api import SCHEDULED_TASKS, ApiError
from timewright.cluster.patching import difference
from timewright.controller import events
from timewright.controller.application import keep_application, tell_of_application
from timewright.controller.apply import apply_cron_job
from timewright.controller.context import Operator, Sync
from timewright.controller.figures import note_expected
from timewright.controller.handover import Turn, take_turn
from timewright.controller.inheritance import enter_on
from timewright.controller.leave import leave_to_daemon
from timewright.controller.manual_runs import refuse_manual_runs, refuse_orphans, start_manual_runs
from timewright.controller.record import record_runs
from timewright.controller.retain import remove_expired
from timewright.controller.store import TaskKey
from timewright.decisions.acceptance import Accepted, Refused, accept
from timewright.decisions.handover import handed_to, taken_up
from timewright.decisions.next_tick import next_native_ticks
from timewright.decisions.notice_rules import NOTIFY_WARNING, not_allowed
from timewright.decisions.ownership import DEPLOYMENT
from timewright.decisions.status import (
    accepted_conditions,
    count_runs,
    healthy_condition,
    summarize_runs,
    with_conditions,
)
from timewright.desired.names import application_name, cron_job_name
from timewright.resources.conditions import Condition
from timewright.resources.scheduled_task import ScheduledTaskStatus
from timewright.timetable import Dialect, ScheduleError, parse
from timewright.timetable.spread import seed_of_task

TICKS_TOLD = 5
"""How many of the next ticks a status lists."""

TOLD_LATER_SECONDS = 1.0
"""When to look again at a task that was applied and whose status had to wait."""

AFTER_TICK_SECONDS = 5.0
"""How long after a tick a task is looked at again, in case no Job of the tick shows up to wake it."""


async def reconcile(operator: Operator, key: TaskKey) -> float | None:
    """Bring a task to its desired state; return after how many seconds it wants to be looked at again.

    Raises:
        ApiError: when a request failed in a way that may pass; the caller tries again later.

    """
    task = operator.store.tasks.get(key)
    if task is None or task.deleting:
        if task is not None:
            operator.applied.pop(task.uid, None)
            operator.expected.pop(task.uid, None)
            if operator.telling is not None:
                operator.telling.forget(task.uid)
        return await refuse_orphans(operator, key)

    applied = operator.applied.get(task.uid)
    if applied is not None and applied.generation == task.generation and operator.may_wait(applied):
        return TOLD_LATER_SECONDS

    raw_spec, raw_status = task.parts()
    status = read_status(raw_status)
    if applied is not None:
        status = status.model_copy(update={"cron_job": applied.cron_job})
    verdict = accept(raw_spec, seed=seed_of_task(key.namespace, task.name))
    sync = Sync(operator, key, task, operator.clock(), verdict, status)

    turn = await take_turn(sync)
    if turn.now is None or turn.now.daemon is not None:
        operator.expected.pop(task.uid, None)
        await leave_to_daemon(sync, turn.now, raw_status)
        return sync.wake_after
    if turn.now == DEPLOYMENT:
        operator.expected.pop(task.uid, None)
        await _reconcile_application(sync, turn, raw_status)
        return sync.wake_after
    return await _reconcile_cron_job(sync, turn, raw_status)


async def _reconcile_cron_job(sync: Sync, turn: Turn, raw_status: dict[str, Any]) -> float | None:
    not_ready = _handing_over(turn) if turn.leaving else await apply_cron_job(sync)
    applied = sync.operator.applied.get(sync.task.uid)
    if applied is not None and sync.operator.may_wait(applied):
        return TOLD_LATER_SECONDS  # schedules come first: what can be told of this one is told after those that wait
    if turn.inheritance is not None and not await enter_on(sync, turn.inheritance):
        return sync.wake_after
    await record_runs(sync)
    await start_manual_runs(sync)
    summarize(sync, not_ready)
    note_expected(sync)
    sync.status = with_conditions(sync.status, [_health_of_runs(sync)])
    if not turn.leaving and not_ready is None and isinstance(sync.verdict, Accepted):
        sync.status = taken_up(sync.status)
    await _end_turn(sync, turn, raw_status)
    return sync.wake_after


def _handing_over(turn: Turn) -> tuple[str, str]:
    if turn.waits_for is None:
        return "HandingOver", "its ticks are about to change hands; none is lost by it"
    rule = "since its runs must not overlap; delete the Job if it is not to be waited for"
    return "HandingOver", f"its ticks change hands once Job {turn.waits_for} has ended, {rule}"


async def _reconcile_application(sync: Sync, turn: Turn, raw_status: dict[str, Any]) -> None:
    """Do for an application that keeps running what is done for other tasks: it has a Deployment in place of Jobs."""
    not_ready = _handing_over(turn) if turn.leaving else await keep_application(sync)
    await record_runs(sync)
    await refuse_manual_runs(sync)
    summarize(sync, not_ready, "the Deployment is applied")
    if not turn.leaving:
        await tell_of_application(sync)
    await _end_turn(sync, turn, raw_status)


async def _end_turn(sync: Sync, turn: Turn, raw_status: dict[str, Any]) -> None:
    """Write the status, and with it who decides from here on."""
    if turn.then is not None:
        name = application_name(sync.task.name)
        sync.status = handed_to(sync.status, turn.then, turn.watermark, name)
        sync.wake_in(0.0)
    await write_status(sync, raw_status)
    await remove_expired(sync)


def read_status(raw: dict[str, Any]) -> ScheduledTaskStatus:
    """Read a task's status.

    Of one that somebody spoilt, or that a newer version wrote, the counters are kept if they can be read; the rest is
    written anew.
    """
    for part in (raw, {key: raw[key] for key in ("counters", "countedRuns") if key in raw}):
        try:
            return ScheduledTaskStatus.model_validate(part)
        except ValidationError:
            continue
    return ScheduledTaskStatus()


def summarize(sync: Sync, not_ready: tuple[str, str] | None, applied_text: str = "the CronJob is applied") -> None:
    """Work out the status, except for the condition Healthy."""
    jobs, runs = sync.operator.store.jobs.of(sync.key), sync.operator.store.runs.of(sync.key)
    generation = sync.task.generation
    status = summarize_runs(count_runs(sync.status, runs, jobs), runs, jobs)
    applied = isinstance(sync.verdict, Accepted) and not_ready is None
    running = generation if applied else status.accepted_generation
    status = with_conditions(
        status, accepted_conditions(sync.verdict, not_ready, generation, running, sync.now, applied_text)
    )
    sync.status = status.model_copy(update={"observed_generation": generation, "accepted_generation": running})
    set_next_ticks(sync)


def _health_of_runs(sync: Sync) -> Condition:
    status = sync.status
    return healthy_condition(status.last_outcome, status.last_run, sync.task.generation, sync.now)


def set_next_ticks(sync: Sync) -> None:
    """Tell the next ticks of the CronJob as it is, and wake up after the first of them to tell those that follow.

    Also where the task's newest spec is refused: what it was before is what fires.
    """
    cron_job = sync.operator.store.cron_jobs.find(sync.key, cron_job_name(sync.task.name))
    ticks: list[datetime] = []
    warnings = sync.status.warnings
    if cron_job is not None and not cron_job.suspended:
        with suppress(ScheduleError):  # somebody edited it by hand, and the edit is about to be undone
            schedule = parse(cron_job.schedule, time_zone=cron_job.time_zone, dialect=Dialect.NATIVE)
            asked_from = cron_job.last_schedule_time or cron_job.created_at
            ticks = next_native_ticks(schedule, asked_from, sync.now, TICKS_TOLD)
            if ticks != sync.status.next_ticks:
                warnings = list(schedule.explain(sync.now, 1).warnings)
    warnings = [each for each in warnings if not each.startswith(NOTIFY_WARNING)]
    if isinstance(sync.verdict, Accepted):
        warnings += not_allowed(sync.verdict.spec, sync.operator.configuration.notify_hosts)
    update = {"next_tick": ticks[0] if ticks else None, "next_ticks": ticks, "warnings": warnings}
    sync.status = sync.status.model_copy(update=update)
    if ticks:
        sync.wake_in((ticks[0] - sync.now).total_seconds() + AFTER_TICK_SECONDS)


async def write_status(sync: Sync, raw_status: dict[str, Any]) -> None:
    """Write the status if it differs from what is there.

    The write names the version that it was worked out from: had the task changed in between, the counters could be
    wrong, so the API server refuses it and the task is reconciled anew.
    """
    wanted = json.loads(sync.status.model_dump_json(by_alias=True, exclude_none=True))
    patch = difference(raw_status, wanted)
    if not patch:
        sync.operator.applied.pop(sync.task.uid, None)
        return
    operator, task = sync.operator, sync.task
    body = {"metadata": {"resourceVersion": task.resource_version}, "status": patch}
    try:
        answer = await operator.api.merge_patch_status(SCHEDULED_TASKS, sync.key.namespace, task.name, body)
    except ApiError as error:
        if error.not_found:
            operator.applied.pop(task.uid, None)
            return
        raise
    operator.applied.pop(task.uid, None)
    operator.store.put_task({**answer, "spec": task.parts()[0], "status": wanted})
    if isinstance(sync.verdict, Refused) and raw_status.get("observedGeneration") != task.generation:
        await events.warn(sync, "Refused", "Validate", sync.verdict.message)
