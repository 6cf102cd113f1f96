"""The extended dialect: what native cron cannot say.

Six fields begin with seconds, seven also end with years, as in Quartz. Day-of-month takes ``L``, ``L-3``, ``LW`` and
``15W``; day-of-week ``MON#2`` and ``FRIL``; every field but the year takes ``H``. Everything else means what it means
natively: Sunday is 0, and two restricted day fields match when either does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable import native
from timewright.timetable.days import (
    ExtendedDays,
    LastDay,
    LastWeekday,
    LastWorkday,
    MonthlyRule,
    NearestWorkday,
    NthWeekday,
)
from timewright.timetable.errors import ScheduleError
from timewright.timetable.fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    Field,
    Selection,
    parse_range,
)
from timewright.timetable.spread import parse_spread
from timewright.timetable.wallclock import WallClock, minutes_of_day

if TYPE_CHECKING:
    from collections.abc import Callable

YEAR = Field("year", 1970, 9999, {})
_FIELDS = {
    5: (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK),
    6: (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK),
    7: (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR),
}
_LAST_DAY = re.compile(r"L(?:-([0-9]{1,2}))?\Z", re.ASCII)
_NEAREST_WORKDAY = re.compile(r"([0-9]{1,2})W\Z", re.ASCII)
_NTH_WEEKDAY = re.compile(r"([0-6]|[A-Z]{3})#([0-9])\Z", re.ASCII)
_LAST_WEEKDAY = re.compile(r"([0-6]|[A-Z]{3})L\Z", re.ASCII)


class _Words(NamedTuple):
    """The bits of one field, and the day rules that bits cannot hold."""

    selection: Selection
    rules: tuple[MonthlyRule, ...]


def is_extended(expression: str) -> bool:
    """Tell whether an expression says something that the native dialect cannot."""
    if expression.startswith("@"):
        return False
    words = native.WORD.findall(expression)
    if len(words) in (6, 7):
        return True
    return len(words) == 5 and any(_says_more(word, field) for word, field in zip(words, _FIELDS[5], strict=True))


def parse_extended(expression: str, seed: str | None) -> WallClock:
    """Read five, six or seven fields.

    Args:
        expression: the fields, separated by white space.
        seed: the identity of the task, by which ``H`` is spread; see :func:`timewright.timetable.spread.seed_of`.

    Raises:
        ScheduleError: where the expression is not of the dialect.
        NeverFiresError: where it names no time.

    """
    words = native.WORD.findall(expression)
    fields = _FIELDS[len(words)]
    read: dict[str, _Words] = {}
    position = 0
    for word, field in zip(words, fields, strict=True):
        position = expression.index(word, position)
        try:
            read[field.name] = _parse_field(word, field, position, seed)
        except ScheduleError as error:
            error.expression = expression
            raise
        position += len(word)
    wallclock = _wallclock(read)
    if not wallclock.ever():
        raise native.never_fires(expression)
    return wallclock


def _wallclock(read: dict[str, _Words]) -> WallClock:
    month_days, weekdays = read[DAY_OF_MONTH.name], read[DAY_OF_WEEK.name]
    years = read.get(YEAR.name)
    return WallClock(
        seconds=read[SECOND.name].selection.bits if SECOND.name in read else 1,
        minutes_of_day=minutes_of_day(read[MINUTE.name].selection.bits, read[HOUR.name].selection.bits),
        day_rule=ExtendedDays(
            month_days.selection.bits,
            month_days.rules,
            weekdays.selection.bits,
            weekdays.rules,
            both=month_days.selection.unrestricted or weekdays.selection.unrestricted,
        ),
        months=read[MONTH.name].selection.bits,
        years=None
        if years is None or years.selection.unrestricted
        else [year for year in range(YEAR.minimum, YEAR.maximum + 1) if years.selection.bits >> year & 1],
    )


def _parse_field(text: str, field: Field, position: int, seed: str | None) -> _Words:
    bits = 0
    unrestricted = False
    rules: list[MonthlyRule] = []
    for part in text.split(","):
        rule = _rule(part, field, position)
        if rule is not None:
            rules.append(rule)
        elif part:
            selection = _parse_part(part, field, position, seed)
            bits |= selection.bits
            unrestricted = unrestricted or selection.unrestricted
        position += len(part) + 1
    return _Words(Selection(bits, unrestricted), tuple(rules))


def _parse_part(part: str, field: Field, position: int, seed: str | None) -> Selection:
    if part[0] in "Hh" and field is not YEAR:
        return parse_spread(part, field, position, seed)
    return parse_range(part, field, position)


def _rule(part: str, field: Field, position: int) -> MonthlyRule | None:
    """Return the day rule that a part stands for, or ``None`` when it is numbers."""
    reader = _RULES.get(field.name)
    try:
        return reader(part.upper(), position) if reader else None
    except ScheduleError as error:
        error.value = part
        raise


def _month_rule(part: str, position: int) -> MonthlyRule | None:
    if part in ("LW", "WL"):
        return LastWorkday()
    if match := _LAST_DAY.match(part):
        before = int(match[1] or 0)
        if before > 30:
            raise _rule_error(part, DAY_OF_MONTH, position, "write L, or L-1 to L-30")
        return LastDay(before)
    if match := _NEAREST_WORKDAY.match(part):
        day = int(match[1])
        if not 1 <= day <= 31:
            raise _rule_error(part, DAY_OF_MONTH, position, "write 1W to 31W, or LW")
        return NearestWorkday(day)
    return None


def _weekday_rule(part: str, position: int) -> MonthlyRule | None:
    if part == "L":
        raise _rule_error(part, DAY_OF_WEEK, position, "name the weekday, such as FRIL, or write SAT")
    if match := _NTH_WEEKDAY.match(part):
        ordinal = int(match[2])
        if not 1 <= ordinal <= 5:
            raise _rule_error(part, DAY_OF_WEEK, position, "a month has up to five of a weekday: write #1 to #5")
        return NthWeekday(_weekday(match[1], part, position), ordinal)
    if match := _LAST_WEEKDAY.match(part):
        return LastWeekday(_weekday(match[1], part, position))
    return None


_RULES: dict[str, Callable[[str, int], MonthlyRule | None]] = {
    DAY_OF_MONTH.name: _month_rule,
    DAY_OF_WEEK.name: _weekday_rule,
}


def _weekday(text: str, part: str, position: int) -> int:
    if text.isdecimal():
        return int(text)
    weekday = DAY_OF_WEEK.names.get(text.lower())
    if weekday is None:
        raise _rule_error(part, DAY_OF_WEEK, position, "write SUN, MON, TUE, WED, THU, FRI or SAT")
    return weekday


def _says_more(word: str, field: Field) -> bool:
    """Tell whether a field has a part that only this dialect reads; a mistake in it is for its parser to report."""
    for part in word.upper().split(","):
        if part.startswith("H"):
            return True
        if field is DAY_OF_MONTH and (part.startswith("L") or part.endswith("W")):
            return True
        if field is DAY_OF_WEEK and ("#" in part or (part.endswith("L") and "/" not in part)):
            return True
    return False


def _rule_error(part: str, field: Field, position: int, remedy: str) -> ScheduleError:
    return ScheduleError(
        f"{field.name} {part!r} names no day", remedy=remedy, field=field.name, value=part, position=position
    )
