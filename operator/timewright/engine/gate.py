"""What keeps runs that were claimed before their second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timewright.engine.running import Running


class Line(asyncio.Future[None]):
    """What runs wait at that are made ready just before their second. Done once that has come."""

    def cancel(self, msg: object = None) -> bool:
        """Stay: who gives up one that waits is not to give up all. That one ends when the second comes."""
        del msg
        return False


class Gate:
    """Runs that begin together, in the order in which they came. Nothing of a run exists before but this entry."""

    __slots__ = ("is_open", "line", "waiting")

    def __init__(self) -> None:
        """Begin closed."""
        self.is_open = False
        self.line: Line | None = None
        """That of those which began last."""
        self.waiting: dict[tuple[str, str], Running] = {}
        """By key of their task and their own id."""
