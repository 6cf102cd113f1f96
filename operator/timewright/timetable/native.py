"""The dialect of Kubernetes: what ``spec.schedule`` of a batch/v1 CronJob accepts, and the ticks it then has.

Follows ``ParseStandard`` of robfig/cron v3.0.1 (five fields, descriptors, ``@every``) as ``validateScheduleFormat`` of
Kubernetes applies it, which refuses a time zone inside of the schedule.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.days import CronDays
from timewright.timetable.errors import NeverFiresError, ScheduleError
from timewright.timetable.fields import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, parse_field
from timewright.timetable.recurrence import Recurrence
from timewright.timetable.robfig_walk import YEARS_AHEAD, RobfigWalk
from timewright.timetable.wallclock import DAY, WallClock, date_of_day, minutes_of_day

if TYPE_CHECKING:
    from timewright.timetable.zones import Zone

DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EVERY = "@every "
_FIELDS = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)
# White space as Go's unicode.IsSpace has it; Python's str.split would also split at the ASCII separators 1C to 1F.
WORD = re.compile("[^\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_FARTHEST = YEARS_AHEAD * 365 * DAY
_MONTH_AND_MORE = 33 * DAY


class NativeFields(NamedTuple):
    """The five fields of a native expression as bits, and the wall-clock times that they name together."""

    minutes: int
    hours: int
    wallclock: WallClock


def parse_fields(expression: str) -> NativeFields:
    """Read five fields or a descriptor other than ``@every``.

    Raises:
        ScheduleError: where the API server would refuse the expression.
        NeverFiresError: where it would accept an expression that names no time.

    """
    text = expression
    if expression.startswith("@"):
        text = DESCRIPTORS.get(expression, "")
        if not text:
            raise _unknown_descriptor(expression)
    words = WORD.findall(text)
    if len(words) != len(_FIELDS):
        raise _wrong_number_of_fields(expression, words)
    selections = []
    position = 0
    for word, field in zip(words, _FIELDS, strict=True):
        position = text.index(word, position)
        try:
            selections.append(parse_field(word, field, position))
        except ScheduleError as error:
            error.expression = expression
            raise
        position += len(word)
    minute, hour, day_of_month, month, day_of_week = selections
    days = CronDays(day_of_month.bits, day_of_week.bits, day_of_month.unrestricted or day_of_week.unrestricted)
    wallclock = WallClock(
        minutes_of_day=minutes_of_day(minute.bits, hour.bits),
        day_rule=days,
        months=month.bits,
    )
    if not wallclock.ever():
        raise never_fires(expression)
    return NativeFields(minute.bits, hour.bits, wallclock)


def refuse_time_zone(expression: str) -> None:
    """Refuse ``TZ=`` and ``CRON_TZ=`` prefixes, and anything else with "TZ" in it, as the API server does.

    Raises:
        ScheduleError: when "TZ" occurs in the expression.

    """
    position = expression.find("TZ")
    if position >= 0:
        raise ScheduleError(
            "a schedule must not name a time zone",
            remedy="use timeZone instead",
            expression=expression,
            field="schedule",
            value="TZ",
            position=position,
        )


def never_fires(expression: str) -> NeverFiresError:
    """Describe an expression that names no time at all."""
    return NeverFiresError(
        "never fires: no date and time in 400 years matches all fields",
        remedy="look for a day that its month does not have, or an empty list",
        expression=expression,
        field="schedule",
        value=expression,
    )


class NativeTicks:
    """The ticks that the CronJob controller takes from a native expression."""

    __slots__ = ("_calendar", "_fields", "_zone")

    def __init__(self, fields: NativeFields, zone: Zone) -> None:
        self._fields = fields
        self._zone = zone
        self._calendar = Recurrence(fields.wallclock, zone)

    def first_from(self, instant: int) -> int | None:
        """Return the first tick at or after an instant, or ``None`` when robfig/cron finds none within five years."""
        tick = self._calendar.first_from(instant)
        if tick is None:
            return None
        spans = self._zone.spans
        if (spans.irregular or spans.ragged_until > instant) and self._is_disturbed(instant, tick):
            return RobfigWalk(self._fields.wallclock, self._fields.minutes, self._fields.hours, self._zone).first_from(
                instant
            )
        if tick - instant > _FARTHEST and self._year(tick) > self._year(instant) + YEARS_AHEAD:
            return None
        return tick

    def last_until(self, instant: int) -> int | None:
        """Return the last tick at or before an instant, or ``None`` when there is none."""
        return self._calendar.last_until(instant)

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``."""
        return self._calendar.count(start, end)

    def _is_disturbed(self, instant: int, tick: int) -> bool:
        """Tell whether the walk from an instant to its tick could come across a change that throws it off."""
        # The walk may begin by going back to the start of the month.
        spans = self._zone.covering(instant - _MONTH_AND_MORE)
        if instant - _MONTH_AND_MORE < spans.ragged_until:
            return True
        index = bisect_left(spans.irregular, instant - _MONTH_AND_MORE)
        return index < len(spans.irregular) and spans.irregular[index] <= tick + DAY

    def _year(self, instant: int) -> int:
        return date_of_day((instant + self._zone.offset(instant)) // DAY).year


def _unknown_descriptor(expression: str) -> ScheduleError:
    known = ", ".join(DESCRIPTORS)
    return ScheduleError(
        f"unknown descriptor {expression!r}",
        remedy=f"use one of {known} (lower case, nothing around it), or @every with a duration such as @every 1h30m",
        expression=expression,
        field="schedule",
        value=expression,
        position=0,
    )


def _wrong_number_of_fields(expression: str, words: list[str]) -> ScheduleError:
    remedy = "write minute, hour, day of month, month and day of week, such as 30 2 * * *"
    if len(words) in (6, 7):
        remedy = (
            "a CronJob has no seconds and no years: write minute, hour, day of month, month and day of week, "
            "or use mode: Daemon"
        )
    return ScheduleError(
        f"expected 5 fields, found {len(words)}", remedy=remedy, expression=expression, field="schedule"
    )
