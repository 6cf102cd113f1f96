"""Ticks whose starts are put off by a number of seconds that is left to chance, and yet the same for all who ask.

Whoever decides asks for *starts*: `Jittered` is the set of these, so that claims, deadlines and takeovers need to know
nothing of jitter. Names and nominal times are those of the ticks; the functions below lead from one to the other, and
return for any other ticks what they are given.

A start never comes after the next tick: starts are in the order of their ticks, and each tells which tick it is of.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timewright.timetable.ticks import Ticks

LONGEST = 3600
"""How many seconds a start may be put off at most."""


class Jittered:
    """The starts of ticks, each put off by up to `longest` seconds. Instants are whole UTC seconds since 1970."""

    __slots__ = ("longest", "seed", "ticks")

    def __init__(self, ticks: Ticks, seed: str, longest: int) -> None:
        """Put ticks off; `seed` is the identity of their task, and different for tasks that are to come apart."""
        self.ticks = ticks
        self.seed = seed
        self.longest = longest

    def start_of(self, tick: int) -> int:
        """Return when the run of a tick is to start."""
        following = self.ticks.first_from(tick + 1)
        longest = self.longest if following is None else min(self.longest, following - tick - 1)
        digest = blake2b(f"{self.seed}\0{tick}".encode(), digest_size=8).digest()
        return tick + int.from_bytes(digest, "big") % (longest + 1)

    def first_from(self, instant: int) -> int | None:
        """Return the first start at or after an instant, or ``None`` when there is none."""
        tick = self.ticks.last_until(instant)
        if tick is not None:
            start = self.start_of(tick)
            if start >= instant:
                return start
        tick = self.ticks.first_from(instant + 1)
        return None if tick is None else self.start_of(tick)

    def last_until(self, instant: int) -> int | None:
        """Return the last start at or before an instant, or ``None`` when there is none."""
        tick = self.ticks.last_until(instant)
        if tick is not None and self.start_of(tick) > instant:
            tick = self.ticks.last_until(tick - 1)
        return None if tick is None else self.start_of(tick)

    def count(self, start: int, end: int) -> int:
        """Return how many starts lie in ``[start, end)``."""
        if start >= end:
            return 0
        return self.ticks.count(start, end) + self._pending(start - 1) - self._pending(end - 1)

    def _pending(self, instant: int) -> int:
        """Return how many ticks up to and including an instant start after it: one, or none."""
        tick = self.ticks.last_until(instant)
        return int(tick is not None and self.start_of(tick) > instant)


class Past(Jittered):
    """Starts of which none is to come: it is known of past ticks when they were to start, and that is all."""

    __slots__ = ()

    def first_from(self, instant: int) -> int | None:
        """Return ``None``."""
        return None

    def last_until(self, instant: int) -> int | None:
        """Return ``None``."""
        return None

    def count(self, start: int, end: int) -> int:
        """Return 0."""
        return 0


def nominal_ticks(ticks: Ticks) -> Ticks:
    """Return the ticks themselves."""
    return ticks.ticks if isinstance(ticks, Jittered) else ticks


def start_of(ticks: Ticks, tick: int) -> int:
    """Return when the run of a tick is to start."""
    return ticks.start_of(tick) if isinstance(ticks, Jittered) else tick


def tick_of(ticks: Ticks, start: int) -> int:
    """Return the tick of a start."""
    if not isinstance(ticks, Jittered):
        return start
    tick = ticks.ticks.last_until(start)
    return start if tick is None else tick


def started_until(ticks: Ticks, instant: int) -> int:
    """Return up to when no run is to start, where every tick up to and including an instant is done with."""
    if not isinstance(ticks, Jittered):
        return instant
    tick = ticks.ticks.last_until(instant)
    return instant if tick is None else max(instant, ticks.start_of(tick))


def done_until(ticks: Ticks, instant: int) -> int:
    """Return up to when every tick is done with, where every run that was to start up to and including an instant is.

    What waits for its start then is not done with.
    """
    if not isinstance(ticks, Jittered):
        return instant
    tick = ticks.ticks.last_until(instant)
    return instant if tick is None or ticks.start_of(tick) <= instant else tick - 1
