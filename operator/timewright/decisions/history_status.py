"""What does a TaskDaemon's status say of the full history?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from timewright.resources.conditions import Condition, condition


@dataclass(frozen=True, slots=True)
class HistoryState:
    """How the writing of the full history does."""

    waiting: int
    """How many runs are yet to be written."""
    dropped: int
    """How many runs were given up since this leader began."""
    trouble: str | None = None
    """Why nothing can be written now, if nothing can."""


def history_recorded(state: HistoryState, now: datetime) -> Condition:
    """Return the condition HistoryRecorded. It stays False once runs are missing, until another leader begins."""

    def told(well: bool, reason: str, message: str) -> Condition:
        return condition("HistoryRecorded", well, reason, message, now=now)

    if state.dropped:
        text = f"{state.dropped} runs are missing in the database, which was away for too long"
        return told(False, "RunsDropped", text if state.trouble is None else f"{text}: {state.trouble}")
    if state.trouble is not None:
        text = f"{state.trouble}; {state.waiting} runs wait to be written, and none is missing yet"
        return told(False, "DatabaseUnavailable", text)
    return told(True, "Recorded", "every run that has ended is in the database, or will be within a second")
