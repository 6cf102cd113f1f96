"""How many writes to the API server there may be, and to which task the next ones go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import IntEnum
from typing import ClassVar

FIRST_STATUS_COST = 0.2
"""What the first status of a task takes of the allowance.

It is one small write, comes once in a task's life, and whoever has made the task waits for it: at 600 writes a minute
there are 3,000 of these, so that 10,000 tasks have theirs in four minutes rather than seventeen.
"""


class Urgency(IntEnum):
    """How soon something is to be written. Less is sooner."""

    NOW = 0
    """A failure, an edit, a change of state, or what a new leader would have to be told."""
    FIRST = 1
    """The first status of a new task, which does well."""
    LATER = 2
    """Successes and numbers."""


class Allowance:
    """So many writes a minute, of which those of ten seconds may come at once. All times are on the monotonic clock."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with all that may come at once."""
        self.made = 0
        """How many writes there have been."""
        self._per_second = per_minute / 60
        self._most = max(10.0, per_minute / 6)
        self._left, self._clock = self._most, clock
        self._seen_at = clock()

    def take(self, writes: int, cost: float | None = None) -> float:
        """Count writes that are made now; return for how many seconds no others may be.

        `cost` is what they take of the allowance, if that is another number.
        """
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._seen_at) * self._per_second)
        self._left -= writes if cost is None else cost
        self._seen_at = now
        self.made += writes
        return max(0.0, -self._left / self._per_second)


class Waiting:
    """Keys of tasks of which there is something to write: what cannot wait first, else who has waited longest.

    A key is ready some time after its first news, so that what comes together is written together. Of five turns two
    go to others than failures, so that a flood of these silences nobody; new tasks come before numbers in any case, as
    they come once.
    """

    SECONDS: ClassVar = {Urgency.NOW: 0.2, Urgency.FIRST: 0.2, Urgency.LATER: 2.0}
    _MOSTLY = (Urgency.NOW, Urgency.FIRST, Urgency.LATER)
    _AT_TIMES = (Urgency.FIRST, Urgency.LATER, Urgency.NOW)
    _TURNS = (_AT_TIMES, _MOSTLY, _AT_TIMES, _MOSTLY, _MOSTLY)

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty."""
        self._queues: dict[Urgency, dict[str, float]] = {urgency: {} for urgency in Urgency}
        """By key: when it is ready."""
        self._urgency: dict[str, Urgency] = {}
        self.urgency_of: Callable[[str], Urgency | None] = self._urgency.get
        """Asked how soon a key is to be written that waits already."""
        self._clock = clock
        self._turn = 0
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """Return how many keys wait."""
        return sum(map(len, self._queues.values()))

    def add(self, key: str, urgency: Urgency) -> None:
        """Note that there is something to write of a task."""
        known = self._urgency.get(key)
        if known is not None and known <= urgency:
            return
        self.discard(key)
        self._urgency[key] = urgency
        self._queues[urgency][key] = self._clock() + self.SECONDS[urgency]
        self._news.set()

    def discard(self, key: str) -> None:
        """Forget a key."""
        urgency = self._urgency.pop(key, None)
        if urgency is not None:
            del self._queues[urgency][key]

    def oldest_seconds(self) -> float:
        """Return for how long the first of the keys has been ready."""
        firsts = [next(iter(each.values())) for each in self._queues.values() if each]
        return max(0.0, self._clock() - min(firsts)) if firsts else 0.0

    async def next(self) -> str:
        """Wait for the next key that is ready, and take it."""
        while True:
            key, wait = self._choose()
            if key is not None:
                self.discard(key)
                return key
            self._news.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _choose(self) -> tuple[str | None, float | None]:
        self._turn = (self._turn + 1) % len(self._TURNS)
        now, waits = self._clock(), []
        for urgency in self._TURNS[self._turn]:
            queue = self._queues[urgency]
            if queue:
                key, ready = next(iter(queue.items()))
                if ready <= now:
                    return key, None
                waits.append(ready - now)
        return None, min(waits, default=None)
