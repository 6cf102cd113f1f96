"""Several sources of ticks as one, and ticks within limits."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from timewright.timetable.wallclock import DAY, MINUTES_OF_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from timewright.timetable.source import Source
    from timewright.timetable.ticks import Ticks
    from timewright.timetable.wallclock import WallClock
    from timewright.timetable.zones import Zone

_MONTH_AND_MORE = 33 * DAY


class AnyOf:
    """The union of several sets of wall-clock times, to count it without counting anything twice."""

    __slots__ = ("_of_day", "_sets", "_totals")

    def __init__(self, sets: Iterable[WallClock]) -> None:
        self._sets = tuple(sets)
        self._of_day = [_seconds_of_day(one) for one in self._sets]
        self._totals: dict[int, int] = {}

    def count(self, start: int, end: int) -> int:
        """Return how many matching times lie in ``[start, end)`` (wall-clock seconds), day by day."""
        total = 0
        for day in range(start // DAY, (end - 1) // DAY + 1):
            matching = sum(1 << index for index, one in enumerate(self._sets) if one.times_on(day))
            begin, until = max(0, start - day * DAY), min(DAY, end - day * DAY)
            if until - begin == DAY:
                if matching not in self._totals:
                    self._totals[matching] = self._times(matching).bit_count()
                total += self._totals[matching]
            else:
                total += (self._times(matching) >> begin & ((1 << (until - begin)) - 1)).bit_count()
        return total

    def _times(self, matching: int) -> int:
        """Return the seconds of a day on which the sets in ``matching`` (as bits) match, as 86,400 bits."""
        times = 0
        for index, seconds in enumerate(self._of_day):
            if matching >> index & 1:
                times |= seconds
        return times


def _seconds_of_day(wallclock: WallClock) -> int:
    minute_starts = 0
    for minute in range(MINUTES_OF_DAY):
        if wallclock.minutes_of_day >> minute & 1:
            minute_starts |= 1 << (60 * minute)
    return minute_starts * wallclock.seconds


class Union:
    """The ticks of several schedules; one that several of them name is one tick. All numbers are UTC seconds."""

    __slots__ = ("_any_of", "_sources", "_zone")

    def __init__(self, sources: Sequence[Source], zone: Zone) -> None:
        self._sources = [one.ticks for one in sources]
        self._zone = zone
        wallclocks = [one.wallclock for one in sources if one.wallclock is not None]
        plain = all(one.policy is None for one in sources) and len(wallclocks) == len(sources)
        self._any_of = AnyOf(wallclocks) if plain else None

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant, or ``None`` when there is none."""
        found = [tick for source in self._sources if (tick := source.first_from(instant)) is not None]
        return min(found, default=None)

    def last_until(self, instant: int) -> int | None:
        """Return the last tick at or before an instant, or ``None`` when there is none."""
        found = [tick for source in self._sources if (tick := source.last_until(instant)) is not None]
        return max(found, default=None)

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``.

        Counts by days. Only where an ``@every``, a policy for daylight saving or an irregular change of the clock is
        involved does it walk from tick to tick.
        """
        self._zone.covering(start - _MONTH_AND_MORE)
        spans = self._zone.covering(end)
        regular = bisect_left(spans.irregular, start - _MONTH_AND_MORE) == bisect_left(spans.irregular, end + DAY)
        if self._any_of is not None and regular and start >= spans.ragged_until:
            return sum(
                self._any_of.count(max(start, begin) + offset, min(end, until) + offset)
                for begin, until, offset in spans.within(start, end)
            )
        total = 0
        tick = self.first_from(start)
        while tick is not None and tick < end:
            total += 1
            tick = self.first_from(tick + 1)
        return total


class Bounded:
    """The ticks from ``start`` to ``end``, both included; ``None`` leaves a side open. All numbers are UTC seconds."""

    __slots__ = ("_end", "_source", "_start")

    def __init__(self, source: Ticks, start: int | None, end: int | None) -> None:
        self._source = source
        self._start = start
        self._end = end

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant, or ``None`` when there is none."""
        if self._end is not None and instant > self._end:
            return None
        tick = self._source.first_from(instant if self._start is None else max(instant, self._start))
        return None if tick is None or (self._end is not None and tick > self._end) else tick

    def last_until(self, instant: int) -> int | None:
        """Return the last tick at or before an instant, or ``None`` when there is none."""
        if self._start is not None and instant < self._start:
            return None
        tick = self._source.last_until(instant if self._end is None else min(instant, self._end))
        return None if tick is None or (self._start is not None and tick < self._start) else tick

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``."""
        start = start if self._start is None else max(start, self._start)
        end = end if self._end is None else min(end, self._end + 1)
        return self._source.count(start, end) if start < end else 0
