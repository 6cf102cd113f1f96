"""The state of a task after a decision on it has been recorded."""

from __future__ import annotations

from collections.abc import Callable

from timewright.decisions.decision import Decision
from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState


def apply(state: TaskState, decision: Decision, run_id_of: Callable[[int], str]) -> TaskState:
    """Return the state after a decision on it. `run_id_of` names the run of a tick, given in UTC seconds.

    What was started is claimed by whoever records the decision; what was cancelled is active until it has ended.
    """
    if not state.open_runs and not decision.enqueue:
        opened = tuple([OpenRun(run_id_of(at), at, trigger, OpenPhase.CLAIMED) for at, trigger in decision.start])
        return TaskState(decision.watermark, decision.schedule_id, decision.suspended, opened)
    ended = {*decision.lost, *(run_id for run_id, *_ in decision.drop)}
    started = {*decision.dequeue, *decision.rerun}
    open_runs = [
        run._replace(phase=OpenPhase.CLAIMED, proven=True) if run.run_id in started else run
        for run in state.open_runs
        if run.run_id not in ended
    ]
    new = [(each, OpenPhase.CLAIMED) for each in decision.start] + [
        (each, OpenPhase.QUEUED) for each in decision.enqueue
    ]
    open_runs += [OpenRun(run_id_of(tick.scheduled_at), tick.scheduled_at, tick.trigger, phase) for tick, phase in new]
    return TaskState(decision.watermark, decision.schedule_id, decision.suspended, tuple(open_runs))
