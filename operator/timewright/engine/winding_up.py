"""What is left to do of runs that have ended: done after all that begin at the same time, some of them at once."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timewright.engine.running import Running

_BATCH = 250
"""How many are wound up before the event loop may turn to something else."""


class WindingUp:
    """Runs that have ended, in the order in which they did, until they are wound up."""

    def __init__(self, wind_up: Callable[[Running], None]) -> None:
        """Do that with each of them, which has to raise nothing."""
        self._wind_up = wind_up
        self._ended: deque[Running] = deque()
        self._context = contextvars.copy_context()
        """Not that of a run: what follows from its end is no part of it."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ended)

    def take(self, running: Running) -> None:
        """Wind a run up soon."""
        if not self._ended:
            self._go_on_later()
        self._ended.append(running)

    def wind_up_all(self) -> None:
        """Wind up all that have ended, now."""
        self._wind_up_some(len(self._ended))

    def _go_on_later(self) -> None:
        asyncio.get_running_loop().call_soon(self._go_on, context=self._context)

    def _go_on(self) -> None:
        self._wind_up_some(min(_BATCH, len(self._ended)))
        if self._ended:
            self._go_on_later()

    def _wind_up_some(self, number: int) -> None:
        for _ in range(number):
            self._wind_up(self._ended.popleft())
