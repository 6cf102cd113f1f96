"""Wall-clock times in a time zone → ticks, with a policy for the times that the zone skips or repeats.

Everything here is in UTC seconds. The zone is taken span by span: inside a span the offset is constant, so a tick is a
wall-clock time minus the offset. A policy does no more than shorten a span at one end (an overlap counted once) or add
one tick where a span begins (a gap made up for).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.daylight import DaylightSaving, Gap, Overlap
from timewright.timetable.zones import EARLIEST, LATEST

if TYPE_CHECKING:
    from timewright.timetable.wallclock import WallClock
    from timewright.timetable.zones import Spans, Zone

# Offsets of one zone differ by 25 hours at most (Juneau, which changed sides of the date line in 1867).
_WIDEST_SHIFT = 26 * 3_600


class _Passes(NamedTuple):
    """The spans as a policy lets a schedule use them: span ``i`` serves ticks in ``[opens[i], closes[i])``."""

    spans: Spans
    opens: tuple[int, ...]
    closes: tuple[int, ...]


class Recurrence:
    """The ticks of a set of wall-clock times in one zone under one policy."""

    __slots__ = ("_latest", "_passes", "_previous", "policy", "wallclock", "zone")

    def __init__(self, wallclock: WallClock, zone: Zone, policy: DaylightSaving | None = None) -> None:
        self.wallclock = wallclock
        self.zone = zone
        self.policy = policy or DaylightSaving()
        self._passes: _Passes | None = None
        self._latest = self._previous = 1, 0
        # The last questions and their answers: whoever decides asks for a tick and for the one after it, and comes back
        # with that one; and many tasks have one schedule.

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant, or ``None`` when there is none up to the year 9999."""
        asked, tick = self._latest
        if asked <= instant <= tick:
            return tick
        asked, tick = self._previous
        if asked <= instant <= tick:
            return tick
        found = self._first_from(instant)
        if found is not None:
            self._previous, self._latest = self._latest, (instant, found)
        return found

    def _first_from(self, instant: int) -> int | None:
        while EARLIEST <= instant < LATEST:
            spans, opens, closes = self._covering(instant)
            index = bisect_right(spans.starts, instant) - 1
            offset = spans.offsets[index]
            opening = opens[index]
            if instant == spans.starts[index] and self._makes_up_at(spans, index):
                return instant
            start = (max(instant, opening)) + offset
            wall = self.wallclock.next(start)
            if wall is None:
                return None
            tick = wall - offset
            if tick < closes[index]:
                return tick
            # Nothing matches between `start` and `wall`, so the search goes on shortly before `wall`, unless the next
            # span turns the clock back behind `start`.
            following = closes[index] if index + 1 == len(spans.starts) else spans.starts[index + 1]
            near = tick - _WIDEST_SHIFT
            instant = following if following - (start - offset) < _WIDEST_SHIFT or near < following else near
        return None

    def last_until(self, instant: int) -> int | None:
        """Return the last tick at or before an instant, or ``None`` when there is none from the year 1 on."""
        while EARLIEST <= instant < LATEST:
            spans, opens, closes = self._covering(instant)
            index = bisect_right(spans.starts, instant) - 1
            offset = spans.offsets[index]
            end = min(instant, closes[index] - 1) + offset
            wall = self.wallclock.previous(end)
            if wall is not None and wall - offset >= opens[index]:
                return wall - offset
            start = spans.starts[index]
            if self._makes_up_at(spans, index):
                return start
            if wall is None:
                return None
            near = wall - offset + _WIDEST_SHIFT
            instant = start - 1 if end - offset - start < _WIDEST_SHIFT or near >= start else near
        return None

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``, walking over spans and not over ticks."""
        start = max(start, EARLIEST)
        end = min(end, LATEST)
        if start >= end:
            return 0
        self._covering(start)
        spans, opens, closes = self._covering(end)
        total = 0
        for index in range(bisect_right(spans.starts, start) - 1, bisect_right(spans.starts, end - 1)):
            offset = spans.offsets[index]
            total += self.wallclock.count(max(start, opens[index]) + offset, min(end, closes[index]) + offset)
            if start <= spans.starts[index] and self._makes_up_at(spans, index):
                begin = spans.starts[index] + offset
                total += self.wallclock.next(begin) != begin
        return total

    def _makes_up_at(self, spans: Spans, index: int) -> bool:
        """Tell whether a span begins with a tick that makes up for those in the gap before it."""
        if self.policy.gap is not Gap.RUN_AFTER or index == 0:
            return False
        skipped_from = spans.starts[index] + spans.offsets[index - 1]
        skipped_to = spans.starts[index] + spans.offsets[index]
        if skipped_to <= skipped_from:
            return False
        wall = self.wallclock.next(skipped_from)
        return wall is not None and wall < skipped_to

    def _covering(self, instant: int) -> _Passes:
        passes = self._passes
        if passes is None or not passes.spans.begin <= instant < passes.spans.end:
            passes = self._passes = self._under_policy(self.zone.covering(instant))
        return passes

    def _under_policy(self, spans: Spans) -> _Passes:
        opens = spans.starts
        closes = (*spans.starts[1:], spans.seen_until)
        if self.policy.overlap is Overlap.BOTH:
            return _Passes(spans, opens, closes)
        turned_back = [max(0, before - after) for before, after in zip(spans.offsets, spans.offsets[1:], strict=False)]
        if self.policy.overlap is Overlap.FIRST:
            opens = tuple(start + repeated for start, repeated in zip(opens, (0, *turned_back), strict=True))
        else:
            closes = tuple(end - repeated for end, repeated in zip(closes, (*turned_back, 0), strict=True))
        return _Passes(spans, opens, closes)
