"""What becomes of the ticks of a task, given what is recorded of it and what time it is?"""

from __future__ import annotations

from dataclasses import dataclass

from timewright.decisions.policies import Policies
from timewright.decisions.task_state import TaskState
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.timetable.ticks import Ticks


@dataclass(frozen=True, slots=True)
class Rules:
    """What a task is, as far as decisions go."""

    ticks: Ticks
    schedule_id: str
    """Changes whenever the ticks do: a digest of the expressions, the zone and all that narrows them."""
    policies: Policies = Policies()
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start the run of a tick."""

    scheduled_at: int
    trigger: Trigger = Trigger.SCHEDULE


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Let the run of a tick wait until there is room."""

    scheduled_at: int
    trigger: Trigger = Trigger.SCHEDULE


@dataclass(frozen=True, slots=True)
class End:
    """Record one tick as ended without a run."""

    scheduled_at: int
    outcome: Outcome
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class EndMany:
    """Count ticks as ended without a run that are too many to be recorded one by one."""

    first: int
    last: int
    count: int
    outcome: Outcome
    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that is to happen now, to be recorded as one change together with the new state of the task."""

    watermark: int
    schedule_id: str
    suspended: bool
    start: tuple[Start, ...] = ()
    enqueue: tuple[Enqueue, ...] = ()
    end: tuple[End, ...] = ()
    end_many: tuple[EndMany, ...] = ()
    cancel: tuple[str, ...] = ()
    """Ids of open runs that are to make room."""
    dequeue: tuple[str, ...] = ()
    """Ids of queued runs that start now."""
    drop: tuple[tuple[str, Outcome, Reason, str], ...] = ()
    """Queued runs that end without a start: id, outcome, reason, message."""
    lost: tuple[str, ...] = ()
    """Ids of open runs that nobody can prove any more."""
    rerun: tuple[str, ...] = ()
    """Of those, the ones that start again."""
    ask_again_at: int | None = None
    """When something will be due next if nothing else happens; None when nothing ever will."""


def decide(rules: Rules, state: TaskState, now: int) -> Decision:
    """Decide on every tick up to and including `now`, on queued runs and on runs that nobody can prove any more."""
    raise NotImplementedError
