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
        self.taken = 0
        """How many are taken. After a takeover it may be more than there are: those Jobs are there already."""
        self._most, self._clock = most, clock
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @property
    def waiting_seconds(self) -> float:
        """For how long the first of them has waited."""
        return self._clock() - self._waiting[0][0] if self._waiting else 0.0

    def take_at_once(self) -> None:
        """Take a place for a Job that is there already."""
        self.taken += 1

    async def take(self, stop: StopRequest) -> bool:
        """Wait for a place and take it; return False, without one, when the end is asked for meanwhile."""
        if self._most is None or (self.taken < self._most and not self._waiting):
            self.taken += 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._clock(), turn))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((turn, stopped), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._leave(turn)
            raise
        finally:
            stopped.cancel()
        if turn.done():
            return True
        self._leave(turn)
        return False

    def give_back(self) -> None:
        """Give a place to whoever has waited longest."""
        self.taken -= 1
        while self._waiting and (self._most is None or self.taken < self._most):
            _, turn = self._waiting.popleft()
            self.taken += 1
            turn.set_result(None)

    def _leave(self, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self.give_back()
        else:
            self._waiting = deque(each for each in self._waiting if each[1] is not turn)
