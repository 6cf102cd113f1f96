"""From a decision to what a store records and what this process then starts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.decisions.ticks import Decision, Rules, apply, decide, decide_at_length
from timewright.engine.task import NEVER, Task
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.storage.records import NOTHING, Change, RunRecord, StoredTask
from timewright.timetable.jitter import Past, start_of
from timewright.timetable.ticks import Ticks


class Plan(NamedTuple):
    """What is to happen with one task now."""

    change: Change | None
    """To be recorded before anything starts; None when there is nothing to record."""
    start: tuple[RunRecord, ...]
    """The runs that whoever gets the change recorded starts."""
    resume: tuple[RunRecord, ...]
    """The same for runs that have a record, with more in it than is known here: they waited, or were lost."""
    after: StoredTask
    """What the store will hold of the task then."""
    ask_again_at: int | None
    """When to plan again if nothing else happens; UTC seconds."""


def rules_of(task: Task, stored: StoredTask, now: int) -> Rules:
    """Return the rules for a task that a person may have paused."""
    pause = stored.pause
    if pause is None or (pause.until is not None and now >= pause.until):
        return task.rules
    return task.rules._replace(suspended=True)


def plan(task: Task, stored: StoredTask, now: int, host: str, former: Ticks | None = None) -> Plan:
    """Decide on a task as it is recorded, at an instant in UTC seconds. `host` is the name of this machine.

    `former` has the ticks of the schedule that its watermark belongs to, where that is another one by now.
    """
    rules = rules_of(task, stored, now)
    decided = decide_at_length if task.jitter else decide
    decision = decided(rules if former is None else rules._replace(former=former), stored.state, now)
    if is_idle(decision, stored.state):
        return Plan(None, (), (), stored, decision.ask_again_at)
    if len(decision.start) == 1 and not (stored.state.open_runs or task.jitter) and decision.does_no_more_than_start:
        return _planned_start(task, stored, decision, host)
    return _planned(task, stored, decision, host)


def plan_waiting(task: Task, stored: StoredTask, now: int, host: str) -> Plan:
    """Decide as `plan` does, but on runs alone: those that wait for room, and those that nobody runs any more.

    For whoever is not there for the ticks of now, such as an invocation that outlasts its minute.
    """
    state = stored.state
    ticks = NEVER if task.timetable is None or not task.jitter else Past(task.timetable.ticks, task.key, task.jitter)
    rules = rules_of(task, stored, now)._replace(ticks=ticks, schedule_id=state.schedule_id or task.schedule_id)
    decision = decide(rules, state, now)._replace(suspended=state.suspended)
    if is_idle(decision, state):
        return Plan(None, (), (), stored, decision.ask_again_at)
    planned = _planned(task, stored, decision, host)
    if planned.change is not None:
        planned.change.watermark, planned.change.schedule_id = state.watermark, state.schedule_id
    kept = planned.after.state._replace(watermark=state.watermark, schedule_id=state.schedule_id)
    return planned._replace(after=planned.after._replace(state=kept))


def _planned_start(task: Task, stored: StoredTask, decision: Decision, host: str) -> Plan:
    """Return what `_planned` would where one run starts and nothing else happens, which is nearly always."""
    ((tick, trigger),) = decision.start
    run = RunRecord(task.key, task.run_id(tick), tick, trigger, OpenPhase.CLAIMED, host=host, parameters=NOTHING)
    watermark, schedule_id, suspended = decision.watermark, decision.schedule_id, decision.suspended
    opened = OpenRun(run.run_id, tick, trigger, OpenPhase.CLAIMED)
    return Plan(
        Change(task.key, stored.version, watermark, schedule_id, suspended, (run,), ended=NOTHING),
        (run,),
        (),
        _followed(stored, TaskState(watermark, schedule_id, suspended, (opened,))),
        decision.ask_again_at,
    )


def _planned(task: Task, stored: StoredTask, decision: Decision, host: str) -> Plan:
    start = [
        RunRecord(
            task.key, task.run_id(each.scheduled_at), each.scheduled_at, each.trigger, OpenPhase.CLAIMED, host=host
        )
        for each in decision.start
    ]
    resume = [replace(_known(task, stored, each), host=host) for each in (*decision.dequeue, *decision.rerun)]
    change = Change(
        task=task.key,
        version=stored.version,
        watermark=decision.watermark,
        schedule_id=decision.schedule_id,
        suspended=decision.suspended,
        runs=[*start, *resume, *_queued(task, decision), *_ended(task, stored, decision)],
        cancel=list(decision.cancel),
        ended=_counts(decision),
    )
    if task.jitter:
        _put_off(change.runs, task.ticks)
    state = apply(stored.state, decision, task.run_id)
    return Plan(change, tuple(start), tuple(resume), _followed(stored, state), decision.ask_again_at)


def _put_off(runs: Iterable[RunRecord], ticks: Ticks) -> None:
    """Note on runs by how much their starts are put off."""
    for run in runs:
        if run.trigger is not Trigger.MANUAL:
            run.jitter = start_of(ticks, run.scheduled_at) - run.scheduled_at


def without_run(stored: StoredTask, run: RunRecord) -> StoredTask:
    """Return what the store will hold of a task once the outcome of a run is recorded."""
    last_success_at = stored.last_success_at
    if run.outcome is Outcome.SUCCEEDED and run.finished_at is not None:
        last_success_at = int(run.finished_at)
    return StoredTask(
        stored.key,
        stored.version,
        stored.state.without(run.run_id),
        stored.pause,
        stored.counters,
        last_success_at,
    )


def _followed(stored: StoredTask, state: TaskState) -> StoredTask:
    """Return what the store will hold of a task once a change of its state is made."""
    return StoredTask(stored.key, stored.version + 1, state, stored.pause, stored.counters, stored.last_success_at)


def is_idle(decision: Decision, state: TaskState) -> bool:
    """Tell whether a decision has nothing to record.

    A watermark that passes over no tick is none: whoever decides later comes to the same result from the older one.
    """
    return (
        not decision.start
        and decision.does_no_more_than_start
        and is_known(state, decision.schedule_id, suspended=decision.suspended)
    )


def is_known(state: TaskState, schedule_id: str | None, *, suspended: bool) -> bool:
    """Tell whether it is recorded of a task already that it has this schedule, and whether it is suspended."""
    return state.watermark is not None and schedule_id == state.schedule_id and suspended == state.suspended


def _queued(task: Task, decision: Decision) -> list[RunRecord]:
    return [
        RunRecord(task.key, task.run_id(each.scheduled_at), each.scheduled_at, each.trigger, OpenPhase.QUEUED)
        for each in decision.enqueue
    ]


def _ended(task: Task, stored: StoredTask, decision: Decision) -> list[RunRecord]:
    """Return the records of ticks and runs that end by the decision itself."""
    ended = []
    for each in decision.end:
        run = RunRecord(task.key, task.run_id(each.scheduled_at), each.scheduled_at)
        ended.append(run.end(each.outcome, each.reason, each.message))
    for run_id, outcome, reason, message in decision.drop:
        ended.append(_known(task, stored, run_id).end(outcome, reason, message))
    ended += [_known(task, stored, each).end(Outcome.LOST, Reason.OWNER_GONE, _LOST) for each in decision.lost]
    return ended


_LOST = "whoever ran it is gone, and nobody can tell how it ended"


def _known(task: Task, stored: StoredTask, run_id: str) -> RunRecord:
    """Return what the state of a task tells of one of its open runs, as claimed."""
    run = next(each for each in stored.state.open_runs if each.run_id == run_id)
    return RunRecord(task.key, run_id, run.scheduled_at, run.trigger, OpenPhase.CLAIMED)


def _counts(decision: Decision) -> dict[Outcome, int]:
    counts: dict[Outcome, int] = {}
    for each in decision.end_many:
        counts[each.outcome] = counts.get(each.outcome, 0) + each.count
    return counts
