"""What the code of a task may know of the run that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from timewright.resources.vocabulary import Outcome, Trigger

if TYPE_CHECKING:
    from timewright.runner.context import RunContext


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run of a task. All times are aware UTC instants."""

    task: str
    run_id: str
    scheduled_at: datetime
    """The nominal time: judge what is due by this, not by the clock."""
    parameters: Mapping[str, Any]
    trigger: Trigger
    attempt: int
    """Counts from 1."""
    last_success_at: datetime | None
    """When a run of the task last ended with success; None if none has, or if that is not known here."""


@dataclass(frozen=True, slots=True)
class FinishedRun(RunInfo):
    """A run that has ended, as hooks are told of it."""

    outcome: Outcome
    reason: str
    message: str
    exit_code: int | None
    output: str
    """The beginning and the end of what it printed; secrets are masked."""
    started_at: datetime
    finished_at: datetime


CURRENT: ContextVar[RunContext | None] = ContextVar("timewright_current_run", default=None)


def current_run() -> RunInfo | None:
    """Return the run that the calling code is part of, in a function, a hook or a process; None outside of any run."""
    context = CURRENT.get()
    return None if context is None else context.info()
