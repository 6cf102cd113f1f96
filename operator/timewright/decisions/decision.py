"""What is to happen with the ticks and runs of a task, as the functions of `ticks` decide it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from timewright.resources.vocabulary import Outcome, Reason, Trigger


class Start(NamedTuple):
    """Start the run of a tick."""

    scheduled_at: int
    trigger: Trigger = Trigger.SCHEDULE


class Enqueue(NamedTuple):
    """Let the run of a tick wait until there is room."""

    scheduled_at: int
    trigger: Trigger = Trigger.SCHEDULE


class End(NamedTuple):
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


class Decision(NamedTuple):
    """Everything that is to happen now, to be recorded as one change together with the new state of the task.

    Each tick up to the watermark that was undecided is in exactly one of `start`, `enqueue`, `end` and `end_many`, each
    open run in at most one of `cancel`, `dequeue`, `drop`, `lost` and `rerun`.
    """

    watermark: int
    schedule_id: str
    suspended: bool
    start: tuple[Start, ...] = ()
    enqueue: tuple[Enqueue, ...] = ()
    end: tuple[End, ...] = ()
    end_many: tuple[EndMany, ...] = ()
    cancel: tuple[str, ...] = ()
    """Ids of active runs that are to make room. They stay active until they have ended."""
    dequeue: tuple[str, ...] = ()
    """Ids of queued runs that start now."""
    drop: tuple[tuple[str, Outcome, Reason, str], ...] = ()
    """Queued runs that end without a start: id, outcome, reason, message."""
    lost: tuple[str, ...] = ()
    """Ids of active runs that nobody can prove any more; they end as Lost."""
    rerun: tuple[str, ...] = ()
    """Ids of active runs that nobody can prove any more and that start again instead of ending as Lost."""
    ask_again_at: int | None = None
    """When something will be due next if nothing else happens; None when nothing ever will.

    A run that ended, an edit, a pause or its end are something else: whoever learns of one asks at once.
    """

    @property
    def does_no_more_than_start(self) -> bool:
        """Whether all that is to happen is that ticks start, if anything."""
        return not (
            self.enqueue
            or self.end
            or self.end_many
            or self.cancel
            or self.dequeue
            or self.drop
            or self.lost
            or self.rerun
        )
