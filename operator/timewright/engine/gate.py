"""What keeps runs that were claimed before their second."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timewright.engine.running import Running


class Gate:
    """Runs that begin together, in the order in which they came. Nothing of a run exists before but this entry."""

    __slots__ = ("is_open", "waiting")

    def __init__(self) -> None:
        """Begin closed."""
        self.is_open = False
        self.waiting: dict[tuple[str, str], Running] = {}
        """By key of their task and their own id."""
