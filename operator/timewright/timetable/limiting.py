"""Several expressions, windows, calendars, and a first and a last instant → one source of ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timewright.timetable.calendars import Excluded
from timewright.timetable.combining import Bounded, Union
from timewright.timetable.errors import NeverFiresError, ScheduleError
from timewright.timetable.moving import Moved
from timewright.timetable.openings import Admitted, Openings

if TYPE_CHECKING:
    from timewright.timetable.source import Limits, Source
    from timewright.timetable.ticks import Ticks
    from timewright.timetable.zones import Zone

# Ticks of a schedule without a first instant are looked for from here on.
_ARBITRARY_PAST = 946_684_800  # 2000-01-01T00:00:00Z


def limited(sources: tuple[Source, ...], zone: Zone, limits: Limits) -> Ticks:
    """Combine sources and narrow them: calendars first, windows after, so that a moved tick has to fit the windows.

    Raises:
        ScheduleError: when the last instant is before the first.
        NeverFiresError: when nothing is left.

    """
    if limits.start is not None and limits.end is not None and limits.end < limits.start:
        raise ScheduleError("endAt is before startAt", remedy="swap them, or leave one out", field="endAt")
    ticks: Ticks = sources[0].ticks if len(sources) == 1 else Union(sources, zone)
    skipped = limits.calendars
    if limits.calendars and limits.excluded not in (None, Excluded.SKIP):
        ticks = Moved(ticks, limits.calendars, zone, limits.excluded or Excluded.SKIP)
        skipped = ()
    if limits.windows or skipped:
        ticks = Admitted(ticks, Openings(limits.windows, skipped, zone))
    if limits.start is not None or limits.end is not None:
        ticks = Bounded(ticks, limits.start, limits.end)
    if ticks.first_from(_ARBITRARY_PAST if limits.start is None else limits.start) is None:
        raise NeverFiresError(
            "never fires: windows, calendars, startAt and endAt leave no tick of the schedule",
            remedy="compare the hours and days of the schedule with theirs",
            expression=" | ".join(one.expression for one in sources),
            field="schedule",
        )
    return ticks
