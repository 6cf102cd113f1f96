"""Times of day, weekdays and durations as people write them in Python → numbers."""

from __future__ import annotations

import re
from datetime import time, timedelta
from enum import Enum
from typing import Any

from timewright.schedule.fluent import refusal

TimeOfDay = str | time
"""Such as "13:00", "9" for nine o'clock, "23:59:30", or a `datetime.time`."""
Weekday = int | str
"""A number as in cron (Sunday is 0), a name such as "mon" or "Monday", or a range such as "mon-fri"."""
Duration = float | timedelta
"""Seconds, or a `datetime.timedelta`."""

_TIME = re.compile(r"([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2}))?)?\Z", re.ASCII)
_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONG_NAMES = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
EVERY_DAY = 0b1111111
MONDAY_TO_FRIDAY = 0b0111110
SATURDAY_AND_SUNDAY = 0b1000001


def read_time(field: str, value: TimeOfDay, *, latest: int = 86_399) -> int:
    """Return seconds since midnight, `latest` at most.

    Raises:
        DeclarationError: when the value is no time of day.

    """
    if isinstance(value, time):
        if value.tzinfo is not None:
            raise refusal(field, value, "has a time zone", "leave it out; time_zone() says how times are read")
        return value.hour * 3600 + value.minute * 60 + value.second
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is not None:
        hour, minute, second = (int(part or 0) for part in match.groups())
        seconds = hour * 3600 + minute * 60 + second
        if minute < 60 and second < 60 and seconds <= latest:
            return seconds
    raise refusal(field, value, "is not a time of day", 'write one like "13:00"')


def read_minutes(field: str, values: tuple[int | str, ...]) -> str:
    """Return minutes past the hour as a field of a cron expression.

    Raises:
        DeclarationError: when one of them is not a number from 0 to 59, or there is none.

    """
    return _numbers(field, values, 0, 59)


def read_hours(field: str, values: tuple[int | str, ...]) -> str:
    """Return hours as a field of a cron expression.

    Raises:
        DeclarationError: when one of them is not a number from 0 to 23, or there is none.

    """
    return _numbers(field, values, 0, 23)


def read_days_of_month(field: str, values: tuple[int | str, ...]) -> str:
    """Return days of the month as a field of a cron expression.

    Raises:
        DeclarationError: when one of them is not a number from 1 to 31, or there is none.

    """
    return _numbers(field, values, 1, 31)


def read_month(field: str, value: int | str) -> str:
    """Return a month as a field of a cron expression.

    Raises:
        DeclarationError: when it is not a number from 1 to 12.

    """
    return _numbers(field, (value,), 1, 12)


def _numbers(field: str, values: tuple[int | str, ...], minimum: int, maximum: int) -> str:
    if not values:
        raise refusal(field, values, "is empty", f"write numbers from {minimum} to {maximum}")
    for value in values:
        number = int(value) if isinstance(value, str) and value.isdecimal() and value.isascii() else value
        if isinstance(number, bool) or not isinstance(number, int) or not minimum <= number <= maximum:
            raise refusal(field, value, "does not fit", f"write a number from {minimum} to {maximum}")
    return ",".join(str(int(value)) for value in values)


def read_weekdays(field: str, values: tuple[Weekday, ...]) -> int:
    """Return weekdays as bits; bit 0 is Sunday.

    Raises:
        DeclarationError: when one of them is no weekday, or there is none.

    """
    bits = 0
    for value in values:
        bits |= _weekday(field, value)
    if not bits:
        raise refusal(field, values, "names no day", _WEEKDAYS)
    return bits


_WEEKDAYS = 'write days like "mon", "Monday" or "mon-fri", or numbers from 0 (Sunday) to 6'


def _weekday(field: str, value: Weekday) -> int:
    if isinstance(value, Enum):
        # Python's own calendar.Day counts from Monday; its names are beyond doubt.
        value = value.name
    if isinstance(value, str) and not value.isdecimal():
        first_name, hyphen, last_name = value.lower().partition("-")
        first = _day_number(first_name)
        last = _day_number(last_name) if hyphen else first
        if first is not None and last is not None:
            return _between(first, last)
    elif not isinstance(value, bool) and str(value) in "01234567":
        # 7 is Sunday too, as in ISO 8601 and in most crons.
        return 1 << int(value) % 7
    raise refusal(field, value, "is no weekday", _WEEKDAYS)


def _day_number(name: str) -> int | None:
    name = name.strip()
    for names in (_NAMES, _LONG_NAMES):
        if name in names:
            return names.index(name)
    return None


def _between(first: int, last: int) -> int:
    """Return the days from one to another, past the end of the week where need be."""
    bits = 0
    for day in range(first, last + 1 if last >= first else last + 8):
        bits |= 1 << day % 7
    return bits


def flat(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return items, whether they were given one by one or as one list."""
    if len(values) == 1 and not isinstance(values[0], int | str):
        return tuple(values[0])
    return values


def day_field(bits: int) -> str:
    """Return weekdays as a field of a cron expression."""
    return _KNOWN_FIELDS.get(bits) or ",".join(str(day) for day in range(7) if bits >> day & 1)


_KNOWN_FIELDS = {EVERY_DAY: "*", MONDAY_TO_FRIDAY: "1-5"}


def read_duration(field: str, value: Duration, *, minimum: float = 0) -> float:
    """Return seconds.

    Raises:
        DeclarationError: when it is not a number, or less than the minimum.

    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not minimum <= seconds < float("inf"):
        expected = f"{minimum:g} or more" if minimum else "0 or more"
        raise refusal(field, value, "does not fit", f"write seconds, {expected}, or a datetime.timedelta")
    return seconds


def read_seconds(field: str, value: Duration, *, minimum: int = 0) -> int:
    """Return whole seconds.

    Raises:
        DeclarationError: when it is not a whole number of them, or less than the minimum.

    """
    seconds = read_duration(field, value, minimum=minimum)
    if seconds != int(seconds):
        raise refusal(field, value, "has a fraction of a second", "write whole seconds")
    return int(seconds)
