"""Ticks on closed days, moved to the nearest day before or after that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timewright.timetable.calendars import Excluded
from timewright.timetable.openings import instants_of
from timewright.timetable.wallclock import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from timewright.timetable.calendars import Calendar
    from timewright.timetable.ticks import Ticks
    from timewright.timetable.zones import Zone

# A run of closed days longer than this takes its ticks with it, and so long a search for a tick is given up.
_LONGEST_CLOSURE = 366
_DAYS_TO_TRY = 3_660


class Moved:
    """The ticks of a source, those of closed days moved as a whole. All numbers are UTC seconds.

    A tick keeps its local time of day; where that time does not exist on its new day, it happens right after the gap,
    and where it happens twice, at the first of both. Calendars close whole days here: an event of a few hours closes
    the day that it falls on. Ticks that come to lie on one instant are one tick.
    """

    __slots__ = ("_calendars", "_direction", "_source", "_zone")

    def __init__(self, source: Ticks, calendars: Sequence[Calendar], zone: Zone, excluded: Excluded) -> None:
        self._source = source
        self._calendars = calendars
        self._zone = zone
        self._direction = 1 if excluded is Excluded.NEXT_DAY else -1

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant, or ``None`` when there is none."""
        day = self._day_of(instant)
        for _ in range(_DAYS_TO_TRY):
            ticks = self._on(day, instant, self._bounds(day)[1])
            first = next(iter(ticks), None)
            if first is not None:
                return first
            following = self._source.first_from(self._bounds(day)[1])
            if following is None:
                # Whatever comes last may still have been moved forward.
                following = self._source.last_until(instant)
            # The ticks of a closed day itself come where it was moved to, be that before what follows it.
            targets = [self._target(day)] if self._direction > 0 and self._closed(day) else []
            targets += [] if following is None else [self._target(self._day_of(following))]
            day = max(day + 1, min((target for target in targets if target is not None), default=day + 1))
        return None

    def last_until(self, instant: int) -> int | None:
        """Return the last tick at or before an instant, or ``None`` when there is none."""
        day = self._day_of(instant)
        for _ in range(_DAYS_TO_TRY):
            *_, last = (None, *self._on(day, self._bounds(day)[0], instant + 1))
            if last is not None:
                return last
            earlier = self._source.last_until(self._bounds(day)[0] - 1)
            targets = [self._target(day)] if self._direction < 0 and self._closed(day) else []
            targets += [] if earlier is None else [self._target(self._day_of(earlier))]
            day = min(day - 1, max((target for target in targets if target is not None), default=day - 1))
        return None

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``, day by day."""
        if start >= end:
            return 0
        total = 0
        for day in range(self._day_of(start), self._day_of(end - 1) + 1):
            if self._is_untouched(day):
                total += sum(
                    self._source.count(max(start, begin), min(end, until)) for begin, until in self._stretches(day)
                )
            else:
                total += sum(1 for _ in self._on(day, start, end))
        return total

    def moved_from(self, tick: int) -> list[int]:
        """Return the closed local days (from 1970-01-01) whose ticks were moved to the day of a tick."""
        return self._days_moved_to(self._day_of(tick))

    def _on(self, day: int, start: int, end: int) -> Iterator[int]:
        """Yield the ticks of a local day that lie in ``[start, end)``, in order."""
        if self._closed(day):
            return
        moved = {self._moved(tick, day) for origin in self._days_moved_to(day) for tick in self._own(origin)}
        if moved:
            yield from sorted(tick for tick in moved.union(self._own(day)) if start <= tick < end)
            return
        for begin, until in self._stretches(day):
            yield from self._between(max(start, begin), min(end, until))

    def _own(self, day: int) -> Iterator[int]:
        for begin, until in self._stretches(day):
            yield from self._between(begin, until)

    def _between(self, start: int, end: int) -> Iterator[int]:
        tick = self._source.first_from(start)
        while tick is not None and tick < end:
            yield tick
            tick = self._source.first_from(tick + 1)

    def _moved(self, tick: int, day: int) -> int:
        wall = day * DAY + (tick + self._zone.offset(tick)) % DAY
        return min(start for start, _ in instants_of((wall, wall + 2 * DAY), self._zone))

    def _is_untouched(self, day: int) -> bool:
        return not self._closed(day) and not self._closed(day - self._direction)

    def _days_moved_to(self, day: int) -> list[int]:
        days: list[int] = []
        origin = day - self._direction
        while len(days) < _LONGEST_CLOSURE and self._closed(origin):
            days.append(origin)
            origin -= self._direction
        return days if not self._closed(origin) else []

    def _target(self, day: int) -> int | None:
        """Return the day that a day's ticks happen on, or ``None`` when the closure is too long."""
        for _ in range(_LONGEST_CLOSURE):
            if not self._closed(day):
                return day
            day += self._direction
        return None

    def _closed(self, day: int) -> bool:
        if any(calendar.closes(day) for calendar in self._calendars):
            return True
        begin, until = self._bounds(day)
        return any(calendar.closed_hours(begin, until) for calendar in self._calendars)

    def _stretches(self, day: int) -> list[tuple[int, int]]:
        return sorted(instants_of((day * DAY, day * DAY + DAY), self._zone))

    def _bounds(self, day: int) -> tuple[int, int]:
        stretches = self._stretches(day)
        if not stretches:
            # A date that the zone left out: nothing happens on it, and the next day begins where it would have.
            begin = min(start for start, _ in instants_of((day * DAY, (day + 2) * DAY), self._zone))
            return begin, begin
        return stretches[0][0], stretches[-1][1]

    def _day_of(self, instant: int) -> int:
        return (instant + self._zone.offset(instant)) // DAY
