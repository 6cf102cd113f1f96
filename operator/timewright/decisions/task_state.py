"""What is recorded of a task between two decisions. Instants are whole UTC seconds since 1970."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from timewright.resources.vocabulary import Trigger


class OpenPhase(StrEnum):
    """Where a run is that has no outcome yet."""

    QUEUED = "Queued"
    """It waits for room, and belongs to nobody."""
    CLAIMED = "Claimed"
    """Somebody will start it, or has; after a crash nobody can tell which."""
    RUNNING = "Running"
    """It is known to have started."""


class OpenRun(NamedTuple):
    """A run without an outcome."""

    run_id: str
    scheduled_at: int
    trigger: Trigger = Trigger.SCHEDULE
    phase: OpenPhase = OpenPhase.RUNNING
    proven: bool = True
    """False when whoever claimed it is gone, so that nobody will tell how it ended. A queued run is always proven."""


class TaskState(NamedTuple):
    """What a store keeps of a task. The state of a task never seen before has no watermark."""

    watermark: int | None = None
    """Every tick up to and including this instant has been decided."""
    schedule_id: str | None = None
    """The schedule that the watermark belongs to, see `Rules.schedule_id`."""
    suspended: bool = False
    """Whether the task was suspended when it was last decided on."""
    open_runs: tuple[OpenRun, ...] = ()

    def without(self, run_id: str) -> TaskState:
        """Return it without an open run; the same where that is not open."""
        open_runs = self.open_runs
        if len(open_runs) == 1 and open_runs[0].run_id == run_id:  # nearly always
            return TaskState(self.watermark, self.schedule_id, self.suspended)
        left = tuple([run for run in open_runs if run.run_id != run_id])
        if len(left) == len(open_runs):
            return self
        return TaskState(self.watermark, self.schedule_id, self.suspended, left)
