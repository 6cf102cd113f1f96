"""What runs wait at until their second has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class GateClosed(Exception):  # noqa: N818 - a fact, not a fault
    """Nothing may start any more: others may have taken over meanwhile."""


class Gate(asyncio.Event):
    """An event whose waiters are asked once more, at the very moment at which they start.

    A process may be stopped for minutes at any instruction, that between the opening and the start included.
    """

    def __init__(self, may_start: Callable[[], bool]) -> None:
        """Begin closed."""
        super().__init__()
        self._may_start = may_start

    async def wait(self) -> bool:  # type: ignore[override]
        """Wait until it is open; raise GateClosed if nothing may start now."""
        if not self.is_set():
            await super().wait()
        if not self._may_start():
            raise GateClosed
        return True
