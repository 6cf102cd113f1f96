"""Keeps Python's garbage collector out of the seconds in which runs begin.

A second with ten thousand ticks makes hundreds of thousands of objects, hardly one of them in a cycle. With the usual
thresholds the collector takes longer than the scheduler, and just when it must not: it is woken by objects being made.
So it is woken when there is nothing else to do, and by objects only where there are a great many.
"""

from __future__ import annotations

import gc

_MANY = 1_000_000
"""How many objects more than were let go wake the collector at any time."""

_SOME = 400_000
"""The same while there is nothing to do."""

_OF_A_RUN = 40
"""How many of them belong to a run that is active: those are no garbage."""

_IDLE_SECONDS = 0.15
"""How long there must be nothing to do: longer than it takes to look at that many objects."""

_FULL = 200
"""Of so many times the collector looks once at everything that is not there for good."""

_collected = 0


def pass_over_what_stays() -> None:
    """Have the collector pass over all that there is now, and leave the rest alone for longer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MANY, 50, 100)


def collect_if_idle(seconds: float, active: int) -> None:
    """Collect garbage if there may be much, with so many runs active, and nothing to do for so many seconds."""
    global _collected
    if seconds >= _IDLE_SECONDS and gc.get_count()[0] > _SOME + _OF_A_RUN * active:
        _collected += 1
        gc.collect(1 if _collected % _FULL else 2)
