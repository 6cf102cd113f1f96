"""Ticks at a fixed distance, and short ways to say what a task is and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timewright.decisions.policies import Policies
from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.decisions.ticks import Rules
from timewright.resources.vocabulary import Trigger

NOON = 1_772_366_400
"""2026-03-01T12:00:00Z"""

MINUTE = 60
HOUR = 3_600
DAY = 86_400


@dataclass
class Periodic:
    """Ticks at `offset` and every `period` seconds before and after it, up to and including `last`."""

    period: int = MINUTE
    offset: int = 0
    last: int | None = None
    asked: int = 0
    """How many questions have been asked."""

    def first_from(self, instant: int) -> int | None:
        self.asked += 1
        tick = -(-(instant - self.offset) // self.period) * self.period + self.offset
        return tick if self.last is None or tick <= self.last else None

    def last_until(self, instant: int) -> int | None:
        self.asked += 1
        instant = instant if self.last is None else min(instant, self.last)
        return (instant - self.offset) // self.period * self.period + self.offset

    def count(self, start: int, end: int) -> int:
        self.asked += 1
        end = end if self.last is None else min(end, self.last + 1)
        return max(0, (end - 1 - self.offset) // self.period - (start - 1 - self.offset) // self.period)


def rules(period: int = MINUTE, *, schedule_id: str = "a", suspended: bool = False, **policies: Any) -> Rules:
    """Return a task that ticks from noon on."""
    return Rules(Periodic(period, NOON), schedule_id, Policies(**policies), suspended)


def recorded(
    watermark: int | None = NOON, *runs: OpenRun, schedule_id: str = "a", suspended: bool = False
) -> TaskState:
    return TaskState(watermark, schedule_id, suspended, runs)


def active(scheduled_at: int, name: str | None = None, **changes: Any) -> OpenRun:
    return OpenRun(name or run_id(scheduled_at), scheduled_at, **changes)


def lost(scheduled_at: int, **changes: Any) -> OpenRun:
    return active(scheduled_at, proven=False, **changes)


def queued(scheduled_at: int, trigger: Trigger = Trigger.SCHEDULE, name: str | None = None) -> OpenRun:
    return OpenRun(name or run_id(scheduled_at), scheduled_at, trigger, OpenPhase.QUEUED)


def run_id(scheduled_at: int) -> str:
    return f"sync-{scheduled_at}"
