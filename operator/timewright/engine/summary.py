"""What one invocation did, and what its exit code should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timewright.engine.telling import run_document, timestamp
from timewright.resources.vocabulary import Outcome, Reason
from timewright.storage.records import RunRecord

SUCCEEDED = 0
"""Nothing failed. Ticks that a rule skipped, that were missed, or that another invocation has, are no failure."""

FAILED = 1
"""A run ended as Failed or was cancelled."""

USAGE = 2
"""The arguments, the schedule or a manifest are wrong; nothing ran."""

UNRECORDED = 3
"""The store could not be used, or a task was refused that must not run without one that all share."""


@dataclass(slots=True)
class Summary:
    """The runs that ended while an invocation lasted, in the order of their ends."""

    at: int
    """Its nominal time, UTC seconds."""
    runs: list[RunRecord] = field(default_factory=list)
    counted: dict[Outcome, int] = field(default_factory=dict)
    """Ticks that ended without a run and are too many to be listed."""
    trouble: list[str] = field(default_factory=list)
    """What a person should know of the store."""

    def count(self, counted: Mapping[Outcome, int]) -> None:
        """Add ticks that are told by their number alone."""
        for outcome, number in counted.items():
            self.counted[outcome] = self.counted.get(outcome, 0) + number

    def outcomes(self) -> dict[Outcome, int]:
        """Return how many ticks and runs ended in each way."""
        total = dict(self.counted)
        for run in self.runs:
            if run.outcome is not None:
                total[run.outcome] = total.get(run.outcome, 0) + 1
        return total

    @property
    def exit_code(self) -> int:
        """The exit code of a process that did this and nothing else."""
        if any(run.outcome in (Outcome.FAILED, Outcome.CANCELLED) for run in self.runs):
            return FAILED
        refused = any(run.reason == Reason.UNPROTECTED.value for run in self.runs)
        return UNRECORDED if self.trouble or refused else SUCCEEDED

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON would have it, in the words of manifests."""
        return {
            "scheduledAt": timestamp(self.at),
            "outcomes": {outcome.value: number for outcome, number in self.outcomes().items()},
            "runs": [run_document(run) for run in self.runs],
            "trouble": self.trouble,
        }
