"""``@every``: a constant delay between ticks."""

from __future__ import annotations


class Every:
    """Ticks that lie a whole number of seconds apart (UTC seconds; zones and calendars play no part).

    Without an anchor the delay counts from whatever instant is asked about, as ``ConstantDelaySchedule`` of
    robfig/cron does: Kubernetes asks from ``status.lastScheduleTime``, or from the creation of the CronJob. With an
    anchor the ticks are ``anchor + n * delay`` for every whole ``n``, wherever the question starts.
    """

    __slots__ = ("anchor", "delay")

    def __init__(self, delay: int, anchor: int | None = None) -> None:
        self.delay = delay
        self.anchor = anchor

    def first_from(self, instant: int) -> int:
        """Return the first tick at or after an instant; unanchored, one delay after the second before it."""
        if self.anchor is None:
            return instant - 1 + self.delay
        return instant + (self.anchor - instant) % self.delay

    def last_until(self, instant: int) -> int:
        """Return the last tick at or before an instant; unanchored, one delay before the second after it."""
        if self.anchor is None:
            return instant + 1 - self.delay
        return instant - (instant - self.anchor) % self.delay

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``; unanchored, counted from the second before ``start``."""
        if end <= start:
            return 0
        anchor = start - 1 if self.anchor is None else self.anchor
        return (end - 1 - anchor) // self.delay - (start - 1 - anchor) // self.delay
