"""When ticks may happen: windows less what calendars close, as stretches of UTC time; and the ticks within them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timewright.timetable.wallclock import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from timewright.timetable.calendars import Calendar
    from timewright.timetable.ticks import Ticks
    from timewright.timetable.windows import Window
    from timewright.timetable.zones import Zone

_EPOCH_WEEKDAY = 4
# When nothing has been open for this long, nothing is taken to open again. Ten years hold every weekday of every date
# but one; a calendar that closes more than that is a mistake, and the search for its end must end.
_DAYS_TO_LOOK = 3_660
_OPENINGS_TO_TRY = 3_660

Stretch = tuple[int, int]


class Openings:
    """The stretches ``[start, end)`` of UTC seconds in which ticks may happen, worked out local day by local day."""

    __slots__ = ("_calendars", "_closing", "_opening", "_zone")

    def __init__(self, windows: Sequence[Window], calendars: Sequence[Calendar], zone: Zone) -> None:
        self._opening = [window for window in windows if not window.negated]
        self._closing = [window for window in windows if window.negated]
        self._calendars = calendars
        self._zone = zone

    def on(self, day: int) -> list[Stretch]:
        """Return the open stretches of a local day, in order."""
        walls = self._open_walls(day)
        stretches = sorted(stretch for wall in walls for stretch in instants_of(wall, self._zone))
        for calendar in self._calendars if stretches else ():
            stretches = subtracted(stretches, calendar.closed_hours(stretches[0][0], stretches[-1][1]))
        return stretches

    def includes(self, instant: int) -> bool:
        """Tell whether an instant is open."""
        return any(start <= instant < end for start, end in self.on(self._day_of(instant)))

    def from_(self, instant: int) -> Iterator[Stretch]:
        """Yield the stretches that end after an instant, the first one cut to begin no earlier than it."""
        day = self._day_of(instant) - 1
        closed_days = 0
        while closed_days < _DAYS_TO_LOOK:
            stretches = [(max(start, instant), end) for start, end in self.on(day) if end > instant]
            yield from stretches
            closed_days = 0 if stretches else closed_days + 1
            day += 1

    def until(self, instant: int) -> Iterator[Stretch]:
        """Yield, latest first, the stretches that begin at or before an instant."""
        day = self._day_of(instant) + 1
        closed_days = 0
        while closed_days < _DAYS_TO_LOOK:
            stretches = [(start, end) for start, end in self.on(day) if start <= instant]
            yield from reversed(stretches)
            closed_days = 0 if stretches else closed_days + 1
            day -= 1

    def _day_of(self, instant: int) -> int:
        return (instant + self._zone.offset(instant)) // DAY

    def _open_walls(self, day: int) -> list[Stretch]:
        if any(calendar.closes(day) for calendar in self._calendars):
            return []
        weekday = (day + _EPOCH_WEEKDAY) % 7
        walls = [(day * DAY, day * DAY + DAY)]
        if self._opening:
            walls = merged(stretch for window in self._opening for stretch in window.stretches(day, weekday))
        for window in self._closing:
            walls = subtracted(walls, window.stretches(day, weekday))
        return walls


class Admitted:
    """The ticks of a source that fall into openings. All numbers are UTC seconds."""

    __slots__ = ("_openings", "_source")

    def __init__(self, source: Ticks, openings: Openings) -> None:
        self._source = source
        self._openings = openings

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant, or ``None`` when none comes in thousands of openings."""
        tick = self._source.first_from(instant)
        for _ in range(_OPENINGS_TO_TRY):
            opening = None if tick is None else next(self._openings.from_(tick), None)
            if tick is None or opening is None:
                return None
            if opening[0] <= tick:
                return tick
            tick = self._source.first_from(opening[0])
        return None

    def last_until(self, instant: int) -> int | None:
        """Return the last tick at or before an instant, or ``None`` when none lies in thousands of openings."""
        tick = self._source.last_until(instant)
        for _ in range(_OPENINGS_TO_TRY):
            opening = None if tick is None else next(self._openings.until(tick), None)
            if tick is None or opening is None:
                return None
            if tick < opening[1]:
                return tick
            tick = self._source.last_until(opening[1] - 1)
        return None

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``, walking over openings and not over ticks."""
        total = 0
        for opened, closed in self._openings.from_(start):
            if opened >= end:
                break
            total += self._source.count(opened, min(closed, end))
        return total


def instants_of(wall: Stretch, zone: Zone) -> Iterator[Stretch]:
    """Yield the stretches of UTC time during which a zone's clocks show a stretch of wall-clock time.

    Where clocks go back there can be two of them; where they go forward there may be none.
    """
    zone.covering(wall[0] - DAY)
    spans = zone.covering(wall[1] + DAY)
    for begin, until, offset in spans.within(wall[0] - DAY, wall[1] + DAY):
        start, end = max(wall[0] - offset, begin), min(wall[1] - offset, until)
        if start < end:
            yield start, end


def merged(stretches: Iterator[Stretch]) -> list[Stretch]:
    """Return stretches in order, those that touch joined."""
    joined: list[Stretch] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def subtracted(stretches: Sequence[Stretch], closed: Sequence[Stretch]) -> list[Stretch]:
    """Return what is left of stretches when others are taken out."""
    left = list(stretches)
    for begin, until in closed:
        pieces = (piece for start, end in left for piece in ((start, min(end, begin)), (max(start, until), end)))
        left = [(start, end) for start, end in pieces if start < end]
    return left
