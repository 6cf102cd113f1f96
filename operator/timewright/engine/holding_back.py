"""What becomes of a plan whose runs do not all get their locks. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from timewright.decisions.task_state import OpenPhase, OpenRun
from timewright.engine.planning import Plan, is_known
from timewright.engine.task import Task
from timewright.resources.vocabulary import LockPolicy, Outcome, Reason, Trigger
from timewright.storage.records import RunRecord, StoredTask
from timewright.timetable.jitter import start_of


def without_locks(
    task: Task, stored: StoredTask, planned: Plan, refused: Mapping[str, str], look_again_at: int | None = None
) -> Plan:
    """Return a plan in which the runs that do not get their locks wait, or end, as the task's lockPolicy says.

    Args:
        task: whose plan it is.
        stored: what the plan was made on.
        planned: the plan.
        refused: by the ids of these runs, what stands in their way, in words.
        look_again_at: when to plan again at the latest if any of them waits, in UTC seconds.

    """
    held_back = _HoldingBack(task, stored, planned)
    for run in (*planned.resume, *planned.start):
        if run.run_id in refused:
            held_back.refuse(run, refused[run.run_id])
    return held_back.plan(look_again_at)


def waiting_for_their_second(task: Task, stored: StoredTask, planned: Plan) -> Plan:
    """Return a plan that is recorded before its second, in which nothing starts: locks are taken in the second."""
    held_back = _HoldingBack(task, stored, planned)
    for run in (*planned.start, *planned.resume):
        held_back.let_wait(run)
    return held_back.plan(None)


class _HoldingBack:
    def __init__(self, task: Task, stored: StoredTask, planned: Plan) -> None:
        self._task, self._stored, self._planned = task, stored, planned
        self._runs = {} if planned.change is None else {run.run_id: run for run in planned.change.runs}
        self._open = {run.run_id: run for run in planned.after.state.open_runs}
        self._known = {run.run_id: run for run in stored.state.open_runs}
        self._back: set[str] = set()

    def refuse(self, run: RunRecord, text: str) -> None:
        policies = self._task.policies
        if policies.lock_policy is LockPolicy.SKIP:
            return self._end(run, Reason.LOCK_HELD, text)
        queued = sum(each.phase is OpenPhase.QUEUED for each in self._open.values())
        if run.run_id not in self._known and queued >= policies.max_queued and run.trigger is not Trigger.CATCH_UP:
            message = f"{queued} runs wait already, and maxQueued is {policies.max_queued}; {text}"
            return self._end(run, Reason.QUEUE_FULL, message)
        return self.let_wait(run)

    def let_wait(self, run: RunRecord) -> None:
        self._back.add(run.run_id)
        known = self._known.get(run.run_id)
        if known is not None:  # it stays as it was: queued, or unproven until it can start again
            self._open[run.run_id] = known
            del self._runs[run.run_id]
            return
        run.phase, run.host = OpenPhase.QUEUED, ""
        self._open[run.run_id] = OpenRun(run.run_id, run.scheduled_at, run.trigger, OpenPhase.QUEUED)

    def _end(self, run: RunRecord, reason: Reason, message: str) -> None:
        self._back.add(run.run_id)
        del self._open[run.run_id]
        run.end(Outcome.SKIPPED, reason, message)

    def plan(self, look_again_at: int | None) -> Plan:
        planned, state = self._planned, self._planned.after.state
        if planned.change is None:
            return planned
        start = tuple(run for run in planned.start if run.run_id not in self._back)
        resume = tuple(run for run in planned.resume if run.run_id not in self._back)
        planned.change.runs = tuple(self._runs.values())
        after = planned.after._replace(state=state._replace(open_runs=tuple(self._open.values())))
        instants = [planned.ask_again_at, *self._deadlines()]
        instants += [look_again_at] if any(run_id in self._open for run_id in self._back) else []
        asked = [instant for instant in instants if instant is not None]
        ask_again_at = min(asked, default=None)
        if self._has_nothing_to_record():
            return Plan(None, (), (), self._stored, ask_again_at)
        return Plan(planned.change, start, resume, after, ask_again_at)

    def _deadlines(self) -> list[int]:
        """Return when those that wait now will have waited for too long."""
        deadline = self._task.policies.starting_deadline
        if deadline is None:
            return []
        waiting = [self._open[run_id] for run_id in self._back if run_id in self._open]
        return [
            start_of(self._task.ticks, run.scheduled_at) + deadline + 1
            for run in waiting
            if run.trigger is not Trigger.MANUAL
        ]

    def _has_nothing_to_record(self) -> bool:
        """Tell whether a change says no more than that time has passed."""
        change, state = self._planned.change, self._stored.state
        return (
            change is not None
            and not (change.runs or change.cancel or change.ended)
            and is_known(state, change.schedule_id, suspended=change.suspended)
        )
