"""May a run that somebody asks for by hand start now, outside of Kubernetes?

Whether its idempotency key was used before is the store's matter, and whether its parameters fit that of `parameters`.
A suspended task runs when it is asked to: to suspend a task is to stop its schedule.
"""

from __future__ import annotations

from dataclasses import dataclass

from timewright.decisions.overlap import is_made_up_for, make_way, most_active, no_room, oldest_first
from timewright.decisions.policies import Policies
from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.resources.vocabulary import ConcurrencyPolicy, OnLost, Outcome, Reason


@dataclass(frozen=True, slots=True)
class StartNow:
    """Start it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Record it as queued. It starts like a tick that waits: `ticks.decide` tells when there is room."""

    cancel: tuple[str, ...] = ()
    """Ids of active runs that are to make room for it."""
    drop: tuple[tuple[str, Outcome, Reason, str], ...] = ()
    """Queued runs that give way to it and end without a start: id, outcome, reason, message."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Record it as ended without a start."""

    outcome: Outcome
    reason: Reason
    message: str


def admit(policies: Policies, state: TaskState, *, override: bool = False) -> StartNow | Wait | Refuse:
    """Decide on one more run of a task. With `override` it starts beside whatever is active."""
    active = oldest_first(run for run in state.open_runs if _is_active(policies, run))
    limit = most_active(policies)
    if override or len(active) < limit:
        return StartNow()
    queued = oldest_first(run for run in state.open_runs if run.phase is OpenPhase.QUEUED)
    if policies.concurrency is ConcurrencyPolicy.REPLACE:
        giving_way = [run for run in queued if not is_made_up_for(policies, run)]
        cancel, drop = make_way(limit, active, giving_way, 1)
        return Wait(tuple(cancel), tuple(drop))
    if policies.concurrency is not ConcurrencyPolicy.QUEUE:
        text = f"{no_room(policies, active)}; wait for it, or override"
        return Refuse(Outcome.SKIPPED, Reason.OVERLAP, text)
    if len(queued) < policies.max_queued:
        return Wait()
    waiting = f"{len(queued)} runs wait already, and maxQueued is {policies.max_queued}"
    text = f"{waiting}; wait until there are fewer, or override"
    return Refuse(Outcome.SKIPPED, Reason.QUEUE_FULL, text)


def _is_active(policies: Policies, run: OpenRun) -> bool:
    """Tell whether a run takes a place. One that nobody can prove any more does only if it will be run again."""
    return run.phase is not OpenPhase.QUEUED and (run.proven or policies.on_lost is OnLost.RERUN)
