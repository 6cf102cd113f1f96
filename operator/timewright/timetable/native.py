"""The dialect of Kubernetes: what ``spec.schedule`` of a batch/v1 CronJob accepts.

Follows ``ParseStandard`` of robfig/cron v3.0.1 (five fields, descriptors, ``@every``) as ``validateScheduleFormat`` of
Kubernetes applies it, which refuses a time zone inside of the schedule.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from timewright.timetable.days import CronDays
from timewright.timetable.errors import NeverFiresError, ScheduleError
from timewright.timetable.fields import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, parse_field
from timewright.timetable.wallclock import WallClock, minutes_of_day

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
        remedy = "a CronJob has no seconds and no years: write minute, hour, day of month, month and day of week"
    return ScheduleError(
        f"expected 5 fields, found {len(words)}", remedy=remedy, expression=expression, field="schedule"
    )
