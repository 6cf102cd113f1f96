"""How many Jobs of a daemon there may be at once, and who waits for room."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from timewright.runner.stop import StopRequest


class JobPlaces:
    """Places for Jobs, given in the order in which they are asked for. Without a limit there is always one."""

    def __init__(self, most: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with all places free."""
        self._most, self._clock = most, clock
        self._holders: set[str] = set()
        """Names of Jobs. After a takeover they may be more than there are places: those Jobs are there already."""
        self._waiting: deque[tuple[float, str, asyncio.Future[None]]] = deque()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return len(self._holders)

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @property
    def waiting_seconds(self) -> float:
        """For how long the first of them has waited."""
        return self._clock() - self._waiting[0][0] if self._waiting else 0.0

    def take_at_once(self, name: str) -> None:
        """Take a place for a Job that is there already, unless it has one."""
        self._holders.add(name)

    async def take(self, name: str, stop: StopRequest) -> bool:
        """Wait for a place and take it for a Job; return False, without one, when the end is asked for meanwhile."""
        if name in self._holders:
            return True
        if self._most is None or (self.taken < self._most and not self._waiting):
            self._holders.add(name)
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._clock(), name, turn))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((turn, stopped), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._leave(name, turn)
            raise
        finally:
            stopped.cancel()
        if turn.done():
            return True
        self._leave(name, turn)
        return False

    def give_back(self, name: str) -> None:
        """Give the place of a Job, if it has one, to whoever has waited longest."""
        self._holders.discard(name)
        while self._waiting and (self._most is None or self.taken < self._most):
            _, next_name, turn = self._waiting.popleft()
            self._holders.add(next_name)
            turn.set_result(None)

    def _leave(self, name: str, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self.give_back(name)
        else:
            self._waiting = deque(each for each in self._waiting if each[2] is not turn)
