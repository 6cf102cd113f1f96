"""What there is to tell of tasks: when each is due next, and how it went last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from timewright.timetable.jitter import nominal_ticks

if TYPE_CHECKING:
    from timewright.engine.task import Task
    from timewright.resources.vocabulary import Outcome
    from timewright.storage.protocol import Store
    from timewright.storage.records import Pause


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A task, and what the store knows of it. Times are aware UTC instants."""

    name: str
    key: str
    runs: str
    """What it runs, in a few words."""
    expressions: tuple[str, ...]
    """Empty for a task that runs by hand only."""
    time_zone: str
    next_ticks: tuple[datetime, ...]
    """The next times it is due; none while it is suspended or paused."""
    suspended: bool
    pause: Pause | None
    """A person's request that it rests, while that holds."""
    active: int
    """How many runs have no outcome yet."""
    last_outcome: Outcome | None
    last_finished_at: datetime | None

    @property
    def paused(self) -> bool:
        """Whether somebody had it rest."""
        return self.pause is not None


async def list_tasks(tasks: Sequence[Task], store: Store, now: datetime, *, ticks: int = 1) -> list[ListedTask]:
    """Return what is known of tasks, in their order. The store has to be open. Raises StoreError."""
    stored = await store.load([task.key for task in tasks])
    second = int(now.timestamp())
    listed = []
    for task in tasks:
        known = stored[task.key]
        pause = known.pause
        if pause is not None and pause.until is not None and pause.until <= second:
            pause = None
        timetable = task.timetable
        listed.append(
            ListedTask(
                name=task.name,
                key=task.key,
                runs=task.definition.summary(),
                expressions=() if timetable is None else timetable.expressions,
                time_zone="UTC" if timetable is None else timetable.time_zone,
                next_ticks=() if task.suspended or pause is not None else _next_ticks(task, second, ticks),
                suspended=task.suspended,
                pause=pause,
                active=len(known.state.open_runs),
                last_outcome=known.last_outcome,
                last_finished_at=None
                if known.last_finished_at is None
                else datetime.fromtimestamp(known.last_finished_at, UTC),
            )
        )
    return listed


def _next_ticks(task: Task, second: int, count: int) -> tuple[datetime, ...]:
    found: list[datetime] = []
    nominal = nominal_ticks(task.ticks)
    tick = nominal.first_from(second + 1)
    while tick is not None and len(found) < count:
        found.append(datetime.fromtimestamp(tick, UTC))
        tick = nominal.first_from(tick + 1)
    return tuple(found)
