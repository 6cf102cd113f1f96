"""How many writes to the API server there may be, and to which task the next ones go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


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

    def take(self, writes: int) -> float:
        """Count writes that are made now; return for how many seconds no others may be."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._seen_at) * self._per_second) - writes
        self._seen_at = now
        self.made += writes
        return max(0.0, -self._left / self._per_second)


class Waiting:
    """Keys of tasks of which there is something to write: what cannot wait first, else who has waited longest.

    A key is ready some time after its first news, so that what comes together is written together. Of five turns one
    goes to those that can wait, so that a flood of failures does not silence the others.
    """

    URGENT_SECONDS = 0.2
    SECONDS = 2.0
    _TURNS = 5

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty."""
        self._urgent: dict[str, float] = {}
        self._patient: dict[str, float] = {}
        self._clock = clock
        self._turn = 0
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """Return how many keys wait."""
        return len(self._urgent) + len(self._patient)

    def add(self, key: str, *, urgent: bool) -> None:
        """Note that there is something to write of a task."""
        if key in self._urgent:
            return
        if urgent:
            self._patient.pop(key, None)
            self._urgent[key] = self._clock() + self.URGENT_SECONDS
            self._news.set()
        elif key not in self._patient:
            self._patient[key] = self._clock() + self.SECONDS
            self._news.set()

    def discard(self, key: str) -> None:
        """Forget a key."""
        self._urgent.pop(key, None)
        self._patient.pop(key, None)

    def oldest_seconds(self) -> float:
        """Return for how long the first of the keys has been ready."""
        firsts = [next(iter(each.values())) for each in (self._urgent, self._patient) if each]
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
        self._turn = (self._turn + 1) % self._TURNS
        queues = [self._urgent, self._patient] if self._turn else [self._patient, self._urgent]
        now, waits = self._clock(), []
        for queue in queues:
            if queue:
                key, ready = next(iter(queue.items()))
                if ready <= now:
                    return key, None
                waits.append(ready - now)
        return None, min(waits, default=None)
