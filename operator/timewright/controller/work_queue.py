"""A queue of keys to work on, with the semantics of client-go's workqueue.

A key is worked on by one worker at a time; adding a key that waits changes nothing; adding one that is being worked on
has it worked on once more afterwards. A key that fails comes back after a delay that grows, per key; a key can also ask
to be woken at a later time. See k8s.io/client-go/util/workqueue.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

FIRST_BACKOFF_SECONDS = 0.05
LONGEST_BACKOFF_SECONDS = 300.0

logger = logging.getLogger(__name__)


class WorkQueue(Generic[Key]):
    """Keys to work on, each at most once at a time."""

    def __init__(self, *, on_error: Callable[[Key, Exception], None] | None = None) -> None:
        self._waiting: dict[Key, None] = {}
        self._working: set[Key] = set()
        self._dirty: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._wake_at: dict[Key, float] = {}
        self._alarms: list[tuple[float, int, Key]] = []
        self._sequence = 0
        self._changed = asyncio.Event()
        self._alarms_changed = asyncio.Event()
        self._on_error = on_error or (lambda _key, _error: None)

    def __len__(self) -> int:
        """Return how many keys wait."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is worked on; keys that sleep until a later time do not count."""
        return not self._waiting and not self._working

    def add(self, key: Key) -> None:
        """Have a key worked on soon."""
        if key in self._working:
            self._dirty.add(key)
        elif key not in self._waiting:
            self._waiting[key] = None
            self._changed.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Have a key worked on after that many seconds, instead of at any other time that it had asked for."""
        when = asyncio.get_running_loop().time() + max(seconds, 0.0)
        self._wake_at[key] = when
        self._sequence += 1
        heapq.heappush(self._alarms, (when, self._sequence, key))
        if self._alarms[0][2] is key:
            self._alarms_changed.set()

    async def run(self, workers: int, work: Callable[[Key], Awaitable[float | None]]) -> None:
        """Work on keys until cancelled.

        `work` returns after how many seconds the key wants to be worked on again, or None. What it raises is logged,
        and the key comes back later; nothing it does ends the queue.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ring(), name="work queue alarms")
            for number in range(workers):
                group.create_task(self._worker(work), name=f"work queue worker {number}")

    async def _worker(self, work: Callable[[Key], Awaitable[float | None]]) -> None:
        while True:
            key = await self._take()
            try:
                again = await work(key)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other keys go on
                self._fail(key, error)
            else:
                self._failures.pop(key, None)
                self._wake_at.pop(key, None)
                if again is not None:
                    self.add_after(key, again)
            finally:
                self._working.discard(key)
                if key in self._dirty:
                    self._dirty.discard(key)
                    self.add(key)

    async def _take(self) -> Key:
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._working.add(key)
        return key

    def _fail(self, key: Key, error: Exception) -> None:
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        self.add_after(key, min(FIRST_BACKOFF_SECONDS * 2 ** min(count, 20), LONGEST_BACKOFF_SECONDS))
        self._on_error(key, error)

    async def _ring(self) -> None:
        """Add keys whose time has come. An alarm that a later one has replaced is passed over."""
        loop = asyncio.get_running_loop()
        while True:
            while self._alarms and self._alarms[0][0] <= loop.time():
                when, _, key = heapq.heappop(self._alarms)
                if self._wake_at.get(key) == when:
                    del self._wake_at[key]
                    self.add(key)
            delay = self._alarms[0][0] - loop.time() if self._alarms else None
            self._alarms_changed.clear()
            try:
                async with asyncio.timeout(delay):
                    await self._alarms_changed.wait()
            except TimeoutError:
                continue
