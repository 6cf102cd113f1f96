"""Changes of a zone's clock, and which times of a schedule they skip or repeat."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from timewright.timetable.source import Source
    from timewright.timetable.zones import Zone

# Enough to name in a note; a schedule of every minute has sixty of them in an hour.
_MOST_TIMES = 3


class Change(NamedTuple):
    """A change, as UTC seconds, with the offsets (seconds east of UTC) before and after it."""

    instant: int
    before: int
    after: int

    @property
    def low(self) -> int:
        """The wall-clock time at which the skipped or repeated stretch begins."""
        return self.instant + min(self.before, self.after)

    @property
    def high(self) -> int:
        """The wall-clock time at which it ends."""
        return self.instant + max(self.before, self.after)


def changes_between(zone: Zone, start: int, end: int) -> list[Change]:
    """Return the changes in ``(start, end)`` (UTC seconds)."""
    zone.covering(start)
    spans = zone.covering(end)
    return [Change(later[0], earlier[2], later[2]) for earlier, later in pairwise(spans.within(start, end))]


def affected_times(source: Source, change: Change) -> list[int]:
    """Return the first few wall-clock times of a source that a change skips or repeats."""
    times: list[int] = []
    wall = None if source.wallclock is None else source.wallclock.next(change.low)
    while source.wallclock is not None and wall is not None and wall < change.high and len(times) < _MOST_TIMES:
        times.append(wall)
        wall = source.wallclock.next(wall + 1)
    return times
