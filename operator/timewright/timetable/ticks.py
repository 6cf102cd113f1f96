"""What every source of ticks can answer, whatever it is made of."""

from __future__ import annotations

from typing import Protocol


class Ticks(Protocol):
    """A set of instants; all numbers are whole UTC seconds since 1970."""

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant, or ``None`` when there is none."""
        ...

    def last_until(self, instant: int) -> int | None:
        """Return the last tick at or before an instant, or ``None`` when there is none."""
        ...

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``."""
        ...
