"""``windows``: the times of the week at which ticks may happen, such as ``between 09:00-17:30 on weekdays``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.errors import ScheduleError
from timewright.timetable.fields import DAY_OF_WEEK, Field, parse_field
from timewright.timetable.wallclock import DAY, MINUTES_OF_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY_DAY = 0b1111111
_WORKDAYS = 0b0111110
_DAYS = {
    "every day": EVERY_DAY,
    "weekdays": _WORKDAYS,
    "workdays": _WORKDAYS,
    "weekends": EVERY_DAY & ~_WORKDAYS,
}
_GRAMMAR = re.compile(
    r"\s*(?P<negated>not\s+)?(?:between\s+)?"
    r"(?P<from>\d{1,2}:\d{2})\s*(?:-|–|\s+(?:and|to)\s+)\s*(?P<to>\d{1,2}:\d{2})"
    r"(?:\s+on\s+(?P<days>.+?))?\s*\Z",
    re.ASCII | re.IGNORECASE,
)
_EXAMPLE = "write it like: between 09:00-17:30 on weekdays (or: on MON-FRI; not between 12:00-13:00)"
_LONG_NAMES = re.compile(r"\b(sun|mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?)days?\b", re.IGNORECASE)


class Window(NamedTuple):
    """A stretch of local time on some weekdays, both ends included.

    ``start`` and ``end`` are seconds since local midnight. A window whose end is before its start lasts past
    midnight, and ``weekdays`` (bit 0 is Sunday) are the days on which it begins. A ``negated`` window closes.
    """

    start: int
    end: int
    weekdays: int = EVERY_DAY
    negated: bool = False

    def stretches(self, day: int, weekday: int) -> list[tuple[int, int]]:
        """Return what the window covers of a local day, as half-open wall-clock seconds since 1970.

        Args:
            day: the local day, counted from 1970-01-01.
            weekday: its weekday, Sunday being 0.

        """
        midnight = day * DAY
        today = self.weekdays >> weekday & 1
        if self.start <= self.end:
            return [(midnight + self.start, min(midnight + self.end + 1, midnight + DAY))] if today else []
        yesterday = self.weekdays >> (weekday - 1) % 7 & 1
        stretches = [(midnight, midnight + self.end + 1)] if yesterday else []
        if today:
            stretches.append((midnight + self.start, midnight + DAY))
        return stretches


def parse_window(text: str) -> Window:
    """Read a window.

    Raises:
        ScheduleError: when it is not of the form of the example above.

    """
    match = _GRAMMAR.match(text)
    if match is None:
        raise _refusal(text, text, 0, f"window {text!r} is not of the known form")
    start, end = _time(text, match, "from"), _time(text, match, "to")
    return Window(start, end, _weekdays(text, match), negated=match["negated"] is not None)


def _time(text: str, match: re.Match[str], group: str) -> int:
    hour, minute = map(int, match[group].split(":"))
    if minute > 59 or hour * 60 + minute > 24 * 60:
        raise _refusal(text, match[group], match.start(group), f"{match[group]!r} is not a time of day")
    return (hour * 60 + minute) * 60


def _weekdays(text: str, match: re.Match[str]) -> int:
    days = match["days"]
    if days is None:
        return EVERY_DAY
    known = _DAYS.get(days.lower())
    if known is not None:
        return known
    words = _LONG_NAMES.sub(lambda name: name[1][:3], days).replace(" and ", ",").replace(" ", "")
    field = Field("window", DAY_OF_WEEK.minimum, DAY_OF_WEEK.maximum, DAY_OF_WEEK.names)
    try:
        bits = parse_field(words, field, match.start("days")).bits
    except ScheduleError as error:
        raise _refusal(text, days, match.start("days"), f"{days!r} names no weekdays") from error
    if not bits:
        raise _refusal(text, days, match.start("days"), f"{days!r} names no weekdays")
    return bits


def _refusal(text: str, value: str, position: int, problem: str) -> ScheduleError:
    return ScheduleError(problem, remedy=_EXAMPLE, expression=text, field="windows", value=value, position=position)


def open_minutes(windows: Sequence[Window], weekday: int) -> int:
    """Return the minutes of a weekday whose first second the windows leave open, as bits; bit 0 is 00:00."""
    # Any day that falls on the weekday will do; day 3 (4 January 1970) was a Sunday.
    day = 3 + weekday
    opening = [window for window in windows if not window.negated]
    minutes = 0 if opening else (1 << MINUTES_OF_DAY) - 1
    for window in opening:
        minutes |= _minutes(window, day, weekday)
    for window in windows:
        if window.negated:
            minutes &= ~_minutes(window, day, weekday)
    return minutes


def _minutes(window: Window, day: int, weekday: int) -> int:
    bits = 0
    for start, end in window.stretches(day, weekday):
        first, last = (start - day * DAY + 59) // 60, (end - 1 - day * DAY) // 60
        bits |= (2 << last) - (1 << first)
    return bits
