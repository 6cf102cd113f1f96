"""What a daemon that is gone has left of a task: up to where it had decided, its counts, and the runs that were open.

The operator reasons as another replica of the daemon would, by `storage.kubernetes.takeover`. What that finds open has
a TaskRun before the status says who decides from here on; so each step can be repeated, and every tick has one outcome.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from timewright.cluster.api import TASK_RUNS
from timewright.controller.context import Sync
from timewright.controller.reclaim import LeftBehind
from timewright.controller.record import belongs_to, create_run, finish_run
from timewright.decisions.observed import ObservedRun
from timewright.decisions.result import Result
from timewright.decisions.task_state import OpenPhase, OpenRun
from timewright.decisions.timetable_of_spec import schedule_id_of, timing_of
from timewright.desired.names import DAEMON_LABEL
from timewright.desired.tick_job import tick_run_name
from timewright.resources.scheduled_task import ScheduledTaskSpec, ScheduledTaskStatus
from timewright.resources.vocabulary import Outcome, Phase, Reason, Trigger
from timewright.storage.kubernetes.takeover import NOT_ACCEPTED, Taken, Timing, take_over
from timewright.storage.kubernetes.told import timing_told, told_by_status
from timewright.timetable.jitter import done_until
from timewright.timetable.spread import seed_of_task
from timewright.timetable.ticks import Ticks


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What the operator goes on from."""

    daemon: str
    watermark: datetime | None
    """The last tick that was decided; None where the daemon never decided any."""
    open_runs: tuple[OpenRun, ...]
    counts: Mapping[Outcome, int]
    """To be added to the counters of the status."""
    counted_runs: Collection[str]
    """Names of the TaskRuns that the counters include then."""


def inherit(sync: Sync, left: LeftBehind) -> Inheritance:
    """Return what a daemon has left of a task, by its Lease, the task's status and its TaskRuns. Pure."""
    task, store, status = sync.task, sync.operator.store, sync.status
    present = _present(sync)
    told = told_by_status(sync.key.namespace, task.name, task.uid, task.created_at, status, present)
    ended = {
        run.name: (int(run.scheduled_at.timestamp()), run.outcome)
        for run in store.runs.of(sync.key)
        if run.outcome is not None and run.trigger is not Trigger.MANUAL and run.scheduled_at is not None
    }
    recorded = {tick: outcome for name, (tick, outcome) in ended.items() if name not in status.counted_runs}
    account = left.journal.accounts.get(task.uid)
    run_id_of = functools.partial(tick_run_name, task.name)
    taken = take_over(told, left.journal, account, present, recorded, run_id_of)
    until = _decided_until(taken, left, status, told.ticks_of(taken.state.schedule_id or NOT_ACCEPTED, present))
    counted = [*status.counted_runs, *(name for name, (tick, _) in ended.items() if tick <= until)]
    is_begun = told.watermark is not None or left.journal.watermark is not None
    return Inheritance(
        left.daemon,
        datetime.fromtimestamp(until, UTC) if is_begun else None,
        taken.state.open_runs,
        taken.counts,
        list(dict.fromkeys(counted)),
    )


async def enter_on(sync: Sync, inheritance: Inheritance) -> bool:
    """Give every run that was open its TaskRun, and take the counts over into the status that is written next.

    Jobs are followed to their end from then on, and what was asked for by hand and has not begun is started. How
    anything else ended nobody can tell any more. Returns whether the task can change hands: not where a TaskRun has to
    wait for its name.
    """
    store = sync.operator.store
    for run in inheritance.open_runs:
        is_recorded = store.runs.find(sync.key, run.run_id) is not None
        if not (is_recorded or await create_run(sync, run.run_id, datetime.fromtimestamp(run.scheduled_at, UTC))):
            return False
    by_name = {run.run_id: run for run in inheritance.open_runs}
    for record in list(store.runs.of(sync.key)):
        if record.finished or record.deleting or (record.name not in by_name and record.daemon != inheritance.daemon):
            continue
        has_job = any(belongs_to(job, record) for job in store.jobs.of(sync.key))
        has_begun = record.trigger is not Trigger.MANUAL or record.phase is Phase.RUNNING
        if has_begun and not has_job:
            await finish_run(sync, record, None, _unknown_end(by_name.get(record.name), inheritance.daemon))
        elif record.daemon is not None:
            await _make_own(sync, record)
    counters = sync.status.counters
    for outcome, count in inheritance.counts.items():
        counters = counters.plus(outcome, count)
    changes = {"counters": counters, "counted_runs": list(inheritance.counted_runs)}
    sync.status = sync.status.model_copy(update=changes)
    return True


async def _make_own(sync: Sync, run: ObservedRun) -> None:
    """Have the operator settle a run from now on."""
    metadata = {"resourceVersion": run.resource_version, "labels": {DAEMON_LABEL: None}}
    answer = await sync.operator.api.merge_patch(TASK_RUNS, sync.key.namespace, run.name, {"metadata": metadata})
    sync.operator.store.put_run(answer)


def _unknown_end(run: OpenRun | None, daemon: str) -> Result:
    if run is not None and run.phase is OpenPhase.QUEUED:
        text = f"it waited for room when TaskDaemon {daemon!r} was gone"
        return Result(Outcome.CANCELLED, Reason.SCHEDULE_CHANGED.value, text)
    text = f"TaskDaemon {daemon!r}, which ran it, is gone; how it ended is not known"
    return Result(Outcome.LOST, Reason.OWNER_GONE.value, text)


def _decided_until(taken: Taken, left: LeftBehind, status: ScheduledTaskStatus, ticks: Ticks | None) -> int:
    state = taken.state
    until = state.watermark or 0
    is_paused = state.suspended and _was_paused(status)
    if is_paused or state.schedule_id == NOT_ACCEPTED:  # ticks of a pause are not made up for by a CronJob
        until = max(until, left.journal.watermark or 0)
    return until if ticks is None else done_until(ticks, until)


def _was_paused(status: ScheduledTaskStatus) -> bool:
    """Tell whether a task of which nobody decided the ticks was suspended, rather than about to leave its daemon."""
    text = None if status.decided is None else status.decided.spec
    try:
        return text is None or bool(json.loads(text).get("suspend"))
    except (ValueError, AttributeError):
        return True


def _present(sync: Sync) -> Timing | None:
    """Return the schedule of the task as a daemon reads it."""
    spec = sync.verdict.spec or ScheduledTaskSpec()
    seed = seed_of_task(sync.key.namespace, sync.task.name)
    schedule_id = schedule_id_of(spec, seed=seed)
    return timing_told(sync.key.namespace, sync.task.name, sync.task.uid, schedule_id, timing_of(spec))
