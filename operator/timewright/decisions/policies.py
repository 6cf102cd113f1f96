"""The policies under which ticks become runs, apart from any manifest or API that declares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from timewright.resources.vocabulary import ConcurrencyPolicy, LockPolicy, MissedRunsPolicy, OnLost


@dataclass(frozen=True, slots=True)
class Retry:
    """Further attempts of a run that failed. The waits, in seconds, double from `backoff` up to `max_backoff`."""

    limit: int = 0
    """How many attempts may follow the first."""
    backoff: float = 10.0
    max_backoff: float = 600.0
    jitter: float = 0.1
    """The share of each wait that is left to chance, so that what failed together does not return together."""


@dataclass(frozen=True, slots=True)
class MissedRuns:
    """What becomes of ticks that nobody was there for. `max_age` is in seconds."""

    policy: MissedRunsPolicy = MissedRunsPolicy.LATEST
    max_runs: int = 10
    """The most ticks that `All` makes up for at once."""
    max_age: int | None = None
    """Ticks older than this are not made up for."""


class NeededLock(NamedTuple):
    """A lock that tasks share."""

    name: str
    slots: int = 1
    """How many runs may hold it at once."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What may happen to the ticks of a task. Durations are in whole seconds."""

    concurrency: ConcurrencyPolicy = ConcurrencyPolicy.ALLOW
    max_concurrent: int | None = None
    """How many runs may be active at once; unbounded under Allow and 1 under any other policy when left out."""
    max_queued: int = 100
    starting_deadline: int | None = None
    """How late a run may still start; later its tick is Missed. No limit when left out."""
    missed_runs: MissedRuns = MissedRuns()
    on_resume: MissedRunsPolicy = MissedRunsPolicy.SKIP
    """What becomes of the ticks of a time in which the task was suspended, once it no longer is."""
    on_schedule_change: MissedRunsPolicy = MissedRunsPolicy.SKIP
    """What becomes of the ticks that a changed schedule would have had since the last decision."""
    on_lost: OnLost = OnLost.RECORD
    retry: Retry = Retry()
    locks: tuple[NeededLock, ...] = ()
    """What a run has to hold while it is active, in the order of their names."""
    lock_policy: LockPolicy = LockPolicy.WAIT
    """What becomes of a run that finds one of them held."""
