"""How one execution of a task ended, before times and output are added to it."""

from __future__ import annotations

from dataclasses import dataclass

from timewright.resources.vocabulary import Outcome, Reason
from timewright.runner.stop import StopRequest


@dataclass(slots=True)
class Result:
    """How it ended. `exit_code` is that of the task's process as a shell tells it (128 + n for signal n)."""

    outcome: Outcome
    reason: str
    message: str = ""
    exit_code: int | None = None
    peak_memory_bytes: int | None = None
    """The most memory that the largest of its processes held; None if nobody knows."""

    @property
    def succeeded(self) -> bool:
        """Whether the outcome is Succeeded."""
        return self.outcome is Outcome.SUCCEEDED


def succeeded(message: str = "", exit_code: int | None = None) -> Result:
    """Return the result of a run that did what it should."""
    return Result(Outcome.SUCCEEDED, Reason.COMPLETED.value, message, exit_code)


def failed(reason: Reason, message: str, exit_code: int | None = None) -> Result:
    """Return the result of a run that did not."""
    return Result(Outcome.FAILED, reason.value, message, exit_code)


def cancelled(stop: StopRequest, exit_code: int | None = None) -> Result:
    """Return the result of a run that was stopped from outside."""
    return Result(Outcome.CANCELLED, stop.reason.value, stop.message, exit_code)


def disturbed() -> Result:
    """Return the result of a run whose asyncio task was cancelled, which whoever runs it does not do."""
    text = "its asyncio task was cancelled by other code in this process"
    return Result(Outcome.CANCELLED, Reason.INTERRUPTED.value, text)
