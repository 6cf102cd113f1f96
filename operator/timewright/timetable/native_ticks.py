"""The ticks that the CronJob controller takes from a native expression, in both directions and counted.

Away from irregular changes of a zone's clock these are the calendar's (:mod:`timewright.timetable.recurrence`); around
them, those of robfig/cron's walk (:mod:`timewright.timetable.robfig_walk`). There, which tick comes next can depend on
where the walk begins. Looking forward, it begins where it is asked to; looking back, at the last tick before the
change, as it does in a controller that was running at the time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.recurrence import Recurrence
from timewright.timetable.robfig_walk import YEARS_AHEAD, EndlessWalkError, RobfigWalk
from timewright.timetable.wallclock import DAY, date_of_day

if TYPE_CHECKING:
    from timewright.timetable.native import NativeFields
    from timewright.timetable.zones import Spans, Zone

_FARTHEST = YEARS_AHEAD * 365 * DAY
# A walk may begin by going back to the start of the month.
_MONTH_AND_MORE = 33 * DAY
_ALL_HOURS = (1 << 24) - 1
_FEBRUARY = 1 << 2
_LEAP_DAY = 1 << 28
# How many irregular changes to look back over for the tick from which the controller's walk began.
_CHANGES_BACK = 4
# Enough for the day of a change at every minute, and the day around it.
_STEPS_THROUGH = 3_000


class _Disturbance(NamedTuple):
    """The local day or days that an irregular change falls on, as UTC seconds ``[start, end)``."""

    start: int
    end: int


class NativeTicks:
    """See the module; all numbers are UTC seconds."""

    __slots__ = ("_can_give_up", "_fields", "_never_disturbed", "_zone", "calendar")

    def __init__(self, fields: NativeFields, zone: Zone) -> None:
        self._fields = fields
        self._zone = zone
        self.calendar = Recurrence(fields.wallclock, zone)
        wallclock = fields.wallclock
        # Where every hour of every day is meant, the walk never moves by more than minutes.
        self._never_disturbed = fields.hours == _ALL_HOURS and wallclock.has_every_day()
        self._can_give_up = wallclock.months == _FEBRUARY and wallclock.month_mask(2032, 2) == _LEAP_DAY

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant, or ``None`` when robfig/cron finds none within five years."""
        tick = self.calendar.first_from(instant)
        if tick is None:
            return None
        spans = self._zone.spans
        if (spans.irregular or instant < spans.ragged_until) and self._is_disturbed(instant, tick):
            return self._walk(instant, tick)
        if tick - instant > _FARTHEST and self._year(tick) > self._year(instant) + YEARS_AHEAD:
            return None
        return tick

    def last_until(self, instant: int) -> int | None:
        """Return the last tick at or before an instant, or ``None`` when there is none."""
        return self._last_until(instant, _CHANGES_BACK)

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``, walking only over the days of irregular changes."""
        tick = self.first_from(start)
        total = 0
        while tick is not None and tick < end:
            disturbance = self._next_disturbance(tick, end)
            if disturbance is None and not self._can_give_up:
                return total + self.calendar.count(tick, end)
            if disturbance is not None and tick < disturbance.start:
                entry = self.calendar.last_until(disturbance.start - 1)
                if entry is not None and entry > tick:
                    total += self.calendar.count(tick, entry)
                    tick = entry
            total += 1
            tick = self.first_from(tick + 1)
        return total

    def passed_over(self, start: int, end: int) -> list[int]:
        """Return what the calendar names and the controller leaves out, for each disturbance in ``[start, end)``.

        Only the ticks before the controller's next one are told, and a few of them at most.
        """
        missed: list[int] = []
        disturbance = self._next_disturbance(start, end)
        while disturbance is not None:
            tick = self.calendar.last_until(disturbance.start - 1)
            for _ in range(_STEPS_THROUGH):
                if tick is None or tick >= disturbance.end:
                    break
                following = self.first_from(tick + 1)
                expected = self.calendar.first_from(tick + 1)
                if expected is not None and following is not None and expected < following:
                    missed.append(expected)
                    break
                tick = following
            disturbance = self._next_disturbance(disturbance.end, end)
        return missed

    def _last_until(self, instant: int, changes_back: int) -> int | None:
        tick = self.calendar.last_until(instant)
        disturbance = self._last_disturbance(instant)
        if tick is None or disturbance is None or not changes_back or self._has_settled(tick, disturbance):
            return tick
        reached = self._last_until(disturbance.start - 1, changes_back - 1)
        following = self.first_from(disturbance.start if reached is None else reached + 1)
        while following is not None and following <= instant:
            reached = following
            following = self.first_from(following + 1)
        return reached

    def _has_settled(self, tick: int, disturbance: _Disturbance) -> bool:
        """Tell whether the walk has left a disturbance behind: it is out of step for one matching day at most."""
        midnight = tick - (tick + self._zone.offset(tick)) % DAY
        earlier = self.calendar.last_until(midnight - 1)
        return earlier is not None and earlier >= disturbance.end

    def _is_disturbed(self, instant: int, tick: int) -> bool:
        """Tell whether the walk from an instant to its tick could come across a change that throws it off."""
        spans = self._zone.covering(instant - _MONTH_AND_MORE)
        if instant - _MONTH_AND_MORE < spans.ragged_until:
            return True
        if self._never_disturbed:
            return False
        index = bisect_left(spans.irregular, instant - _MONTH_AND_MORE)
        return index < len(spans.irregular) and spans.irregular[index] <= tick + DAY

    def _walk(self, instant: int, tick: int) -> int | None:
        walk = RobfigWalk(self._fields.wallclock, self._fields.minutes, self._fields.hours, self._zone)
        try:
            return walk.first_from(instant)
        except EndlessWalkError:
            # No tick of the controller's to agree with.
            return tick

    def _next_disturbance(self, instant: int, end: int) -> _Disturbance | None:
        """Return the first disturbance that ends after an instant and begins before ``end``."""
        if self._never_disturbed:
            return None
        self._zone.covering(instant)
        spans = self._zone.covering(end)
        for index in range(bisect_left(spans.irregular, instant - 2 * DAY), len(spans.irregular)):
            disturbance = _disturbance(spans, spans.irregular[index])
            if disturbance.end > instant:
                return disturbance if disturbance.start < end else None
        return None

    def _last_disturbance(self, instant: int) -> _Disturbance | None:
        """Return the last disturbance that begins at or before an instant, of those that were looked at."""
        if self._never_disturbed:
            return None
        spans = self._zone.covering(instant)
        for index in reversed(range(bisect_right(spans.irregular, instant + 2 * DAY))):
            disturbance = _disturbance(spans, spans.irregular[index])
            if disturbance.start <= instant:
                return disturbance
        return None

    def _year(self, instant: int) -> int:
        return date_of_day((instant + self._zone.offset(instant)) // DAY).year


def _disturbance(spans: Spans, change: int) -> _Disturbance:
    index = bisect_left(spans.starts, change)
    before, after = spans.offsets[index - 1], spans.offsets[index]
    days = ((change - 1 + before) // DAY, (change + after) // DAY)
    return _Disturbance(min(days) * DAY - before, (max(days) + 1) * DAY - after)
