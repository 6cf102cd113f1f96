"""What the code of a task may know of the run that it is in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from timewright.resources import definition as names
from timewright.resources.times import parse_time
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
    """Return the run that the calling code is part of: in a function, a hook or a process. None outside of any run."""
    context = CURRENT.get()
    if context is not None:
        return context.info()
    return _from_environment(os.environ) if names.SCHEDULED_AT in os.environ else None


def _from_environment(environ: Mapping[str, str]) -> RunInfo | None:
    """Read of which run this process is, which whoever started it has written into its environment."""
    try:
        parameters = json.loads(environ.get(names.PARAMETERS) or "{}")
        last_success_at = environ.get(names.LAST_SUCCESS_AT)
        return RunInfo(
            environ.get(names.TASK_NAME, ""),
            environ.get(names.RUN_ID, ""),
            parse_time(environ[names.SCHEDULED_AT]),
            parameters if isinstance(parameters, dict) else {},
            Trigger(environ.get(names.TRIGGER) or Trigger.SCHEDULE),
            int(environ.get(names.ATTEMPT) or 1),
            parse_time(last_success_at) if last_success_at else None,
        )
    except ValueError:  # it was written by somebody else
        return None
