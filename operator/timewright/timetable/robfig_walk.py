"""The next tick as robfig/cron v3 walks to it, where that is not what the calendar says.

``SpecSchedule.Next`` searches by moving a clock: month by month, day by day, then in steps of an hour and of a minute.
Across most changes of a zone's offset that search finds what the calendar names. It does not where a change is of
anything but one full hour, or touches midnight: a step of an hour over Lord Howe's half-hour shift leaves the walk at
half past, so that full hours are passed over; where clocks go back by three hours (Casey) the walk may jump ahead;
where midnight does not exist it is thrown back or forth, and a whole day can be passed over (Beirut) or a month go
unchecked. Kubernetes shows that behaviour, so it is reproduced
here, loop by loop, and used only near such changes.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.wallclock import DAY, date_of_day, day_of_date, lowest_bit

if TYPE_CHECKING:
    from datetime import date

    from timewright.timetable.wallclock import WallClock
    from timewright.timetable.zones import Zone

_HOUR = 3_600
_MINUTE = 60
# No tick this many calendar years ahead: Next gives up and returns Go's zero time.
YEARS_AHEAD = 5


class EndlessWalkError(Exception):
    """``Next`` never returns: a step of a day led back to where it began.

    That happens where a zone east of the date line left out a whole day (Apia's 30 December 2011).
    """


class _Step(NamedTuple):
    """Where a loop left the walk (UTC seconds), and whether all fields have to be looked at again."""

    instant: int
    wrapped: bool


class RobfigWalk:
    """One search; its only state is whether the clock has been moved off the starting instant yet (``added``)."""

    __slots__ = ("_added", "_hours", "_minutes", "_wallclock", "_zone")

    def __init__(self, wallclock: WallClock, minutes: int, hours: int, zone: Zone) -> None:
        self._wallclock = wallclock
        self._minutes = minutes
        self._hours = hours
        self._zone = zone
        self._added = False

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant (UTC seconds), or ``None`` where ``Next`` gives up.

        Raises:
            EndlessWalkError: where ``Next`` does not return.

        """
        last_year = self._local(instant)[0].year + YEARS_AHEAD
        loops = (self._to_month, self._to_day, self._to_hour, self._to_minute, self._to_second)
        while self._local(instant)[0].year <= last_year:
            for loop in loops:
                instant, wrapped = loop(instant)
                if wrapped:
                    break
            else:
                return instant
        return None

    def _to_month(self, instant: int) -> _Step:
        on, time = self._local(instant)
        while not self._wallclock.months >> on.month & 1:
            if not self._added:
                self._added = True
                on, time = self._local(self._at(day_of_date(on.year, on.month, 1), 0))
            # Beyond the length of the next month, the day runs over into the month after it.
            year, month = divmod(on.year * 12 + on.month, 12)
            instant = self._at(day_of_date(year, month + 1, 1) + on.day - 1, time)
            on, time = self._local(instant)
            if on.month == 1:
                return _Step(instant, wrapped=True)
        return _Step(instant, wrapped=False)

    def _to_day(self, instant: int) -> _Step:
        on, time = self._local(instant)
        while not self._wallclock.day_mask(on.year, on.month) >> (on.day - 1) & 1:
            day = day_of_date(on.year, on.month, on.day)
            if not self._added:
                self._added = True
                on, time = self._local(self._at(day, 0))
                day = day_of_date(on.year, on.month, on.day)
            ahead = self._days_ahead(on, time, instant)
            departure, instant = instant, self._at(day + ahead, time)
            on, time = self._local(instant)
            hour = time // _HOUR
            if hour:
                # Meant to get back to midnight where the day begins at one o'clock or the step fell short of it.
                instant += ((24 - hour) if hour > 12 else -hour) * _HOUR
                on, time = self._local(instant)
            if on.day == 1:
                return _Step(instant, wrapped=True)
            if instant == departure:
                raise EndlessWalkError
        return _Step(instant, wrapped=False)

    def _days_ahead(self, on: date, time: int, instant: int) -> int:
        """Return how many days to step at once: one, or as many as cannot make a difference."""
        if time or self._irregular_within(instant - 2 * DAY, instant + 33 * DAY):
            return 1
        mask = self._wallclock.day_mask(on.year, on.month) >> on.day
        if mask:
            return lowest_bit(mask) + 1
        year, month = divmod(on.year * 12 + on.month, 12)
        return day_of_date(year, month + 1, 1) - day_of_date(on.year, on.month, on.day)

    def _to_hour(self, instant: int) -> _Step:
        on, time = self._local(instant)
        while not self._hours >> time // _HOUR & 1:
            if not self._added:
                self._added = True
                instant = self._at(day_of_date(on.year, on.month, on.day), time - time % _HOUR)
            instant += _HOUR
            on, time = self._local(instant)
            if time < _HOUR:
                return _Step(instant, wrapped=True)
        return _Step(instant, wrapped=False)

    def _to_minute(self, instant: int) -> _Step:
        minute = self._minute(instant)
        while not self._minutes >> minute & 1:
            if not self._added:
                self._added = True
                # Truncation is done on UTC, which is not the local minute where offsets have seconds.
                instant -= instant % _MINUTE
            instant += _MINUTE
            minute = self._minute(instant)
            if minute == 0:
                return _Step(instant, wrapped=True)
        return _Step(instant, wrapped=False)

    def _to_second(self, instant: int) -> _Step:
        wrapped = False
        while (instant + self._zone.offset(instant)) % _MINUTE:
            self._added = wrapped = True
            instant += 1
        return _Step(instant, wrapped)

    def _minute(self, instant: int) -> int:
        return (instant + self._zone.offset(instant)) // _MINUTE % 60

    def _local(self, instant: int) -> tuple[date, int]:
        """Return the local date and the seconds since local midnight."""
        day, time = divmod(instant + self._zone.offset(instant), DAY)
        return date_of_day(day), time

    def _at(self, day: int, time: int) -> int:
        """Return the instant of a local time as Go's ``time.Date`` does, also where it exists twice or not at all."""
        wall = day * DAY + time
        return wall - self._zone.offset(wall - self._zone.offset(wall))

    def _irregular_within(self, start: int, end: int) -> bool:
        spans = self._zone.covering(end)
        if start < spans.ragged_until:
            return True
        irregular = spans.irregular
        index = bisect_right(irregular, start)
        return index < len(irregular) and irregular[index] <= end
