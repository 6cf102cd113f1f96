"""How a run went, all of its attempts together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from timewright.resources.vocabulary import Outcome

if TYPE_CHECKING:
    from timewright.resources.run_report import RunReport


@dataclass(slots=True)
class RunResult:
    """How a run went. `started_at` and `finished_at` are seconds since 1970 with fractions."""

    outcome: Outcome
    reason: str
    message: str
    started_at: float
    finished_at: float
    exit_code: int | None = None
    output: str = ""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    """The attempts that failed before the last one, as `resources.task_run.Attempt` manifests, in order; of very many
    the latest."""
    peak_memory_bytes: int | None = None
    """The most memory that the largest of its processes held; None for calls in this process, or if nobody knows."""
    attempt: int = 1
    """The number of the last attempt, counted from 1."""

    @property
    def succeeded(self) -> bool:
        """Whether the outcome is Succeeded."""
        return self.outcome is Outcome.SUCCEEDED

    def report(self) -> RunReport:
        """Return the report for the operator."""
        from timewright.resources.run_report import RunReport
        from timewright.resources.task_run import Attempt

        return RunReport(
            outcome=self.outcome,
            reason=self.reason,
            message=self.message,
            exit_code=self.exit_code,
            start_time=datetime.fromtimestamp(self.started_at, UTC),
            completion_time=datetime.fromtimestamp(self.finished_at, UTC),
            output=self.output,
            attempts=[Attempt.model_validate(each) for each in self.attempts],
            attempt_count=self.attempt,
            peak_memory_bytes=self.peak_memory_bytes,
        )
