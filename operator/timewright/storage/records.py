"""What stores keep: the record of a run and the state of a task. Instants are whole UTC seconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from timewright.decisions.task_state import OpenPhase, TaskState
from timewright.resources.vocabulary import Outcome, Reason, Trigger

NOTHING: Mapping[Any, Any] = MappingProxyType({})
"""An empty mapping that nobody can change."""


@dataclass(slots=True)
class RunRecord:
    """One run of a task: open (with a `phase`, without an `outcome`) or finished (the other way round).

    `started_at` and `finished_at` are seconds since 1970 with fractions.
    """

    task: str
    """Key of the task in the store."""
    run_id: str
    """Unique within the task. That of a tick follows from the tick, so a tick has one record."""
    scheduled_at: int
    trigger: Trigger = Trigger.SCHEDULE
    phase: OpenPhase | None = None
    outcome: Outcome | None = None
    reason: str = ""
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    output: str = ""
    attempts: Sequence[dict[str, Any]] = ()
    """The attempts that failed before the last one, as `resources.task_run.Attempt` manifests."""
    peak_memory_bytes: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    idempotency_key: str | None = None
    host: str = ""
    """Name of the machine that claimed it."""
    jitter: int = 0
    """By how many seconds its start is put off on purpose. Known while it is open, and not stored."""
    cancel_requested: bool = False
    """Somebody asked for its end (`schedule:interrupt`, or a newer run that replaces it)."""

    def end(self, outcome: Outcome, reason: Reason, message: str) -> Self:
        """Note how it ended other than by having been carried out, and return it."""
        self.phase, self.outcome, self.reason, self.message = None, outcome, reason.value, message
        return self


class Pause(NamedTuple):
    """A person's request that a task rests. `until` is an instant; without it somebody has to resume the task."""

    reason: str = ""
    until: int | None = None


class StoredTask(NamedTuple):
    """What a store knows of a task. A task never seen has version 0."""

    key: str
    version: int = 0
    """Grows with each change; a change names the version that it was decided on."""
    state: TaskState = TaskState()
    pause: Pause | None = None
    counters: Mapping[Outcome, int] = NOTHING
    """How many ticks and runs ended in each way, exact whatever was removed from the history."""
    last_success_at: int | None = None
    last_outcome: Outcome | None = None
    """Outcome of the run that finished last, of those that started."""
    last_finished_at: int | None = None


@dataclass(slots=True)
class Change:
    """What one decision changes of one task, made as a whole or not at all."""

    task: str
    version: int
    """The version that was decided on; the change is refused when the task has another one by now."""
    watermark: int | None
    schedule_id: str | None
    suspended: bool = False
    runs: Sequence[RunRecord] = ()
    """Runs to add. Of one that exists the phase, outcome, reason, message and host change, the rest stays as it is; one
    that has an outcome stays as it is altogether. Claimed ones become the owner's, queued ones nobody's."""
    cancel: Sequence[str] = ()
    """Ids of open runs, whoever runs them, that are to end."""
    ended: Mapping[Outcome, int] = field(default_factory=lambda: NOTHING)
    """Ticks to count that ended without a record of their own, since there were too many to list."""
