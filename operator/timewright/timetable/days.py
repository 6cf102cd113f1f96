"""Which days of a month a schedule names.

A month is fully described by its shape: the weekday of its first day and its length. There are 28 shapes, so a rule
answers with one bit mask per shape (bit 0 is the 1st of the month) and the mask is worked out once.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

# Bit 0, 7, 14, …: multiplied by a week of seven bits, it repeats that week over 42 days.
_SIX_WEEKS = sum(1 << (7 * week) for week in range(6))

SUNDAY, SATURDAY = 0, 6
WORKDAYS = 0b0111110  # Monday to Friday, bit 0 being Sunday


class DayRule(Protocol):
    """Chooses days of a month by its shape alone."""

    def days(self, first_weekday: int, length: int) -> int:
        """Return the chosen days as bits, bit 0 being the 1st.

        Args:
            first_weekday: weekday of the 1st, Sunday being 0.
            length: number of days in the month, 28 to 31.

        """
        ...


def month_days(day_of_month_bits: int, length: int) -> int:
    """Turn bits numbered by day of month (bit 1 is the 1st) into a month's mask, dropping days it does not have."""
    return (day_of_month_bits >> 1) & ((1 << length) - 1)


def weekday_days(weekday_bits: int, first_weekday: int, length: int) -> int:
    """Return the mask of every day of a month that falls on one of the weekdays (bit 0 is Sunday)."""
    return ((weekday_bits * _SIX_WEEKS) >> first_weekday) & ((1 << length) - 1)


class CronDays(NamedTuple):
    """Day-of-month and day-of-week, combined as in ``dayMatches`` of robfig/cron v3.

    ``both`` is set when either field is unrestricted: then a day must match both, which leaves the restricted one to
    decide. Two restricted fields match when either does.
    """

    day_of_month_bits: int
    weekday_bits: int
    both: bool

    def days(self, first_weekday: int, length: int) -> int:
        """Return the chosen days as bits, bit 0 being the 1st."""
        by_number = month_days(self.day_of_month_bits, length)
        by_weekday = weekday_days(self.weekday_bits, first_weekday, length)
        return by_number & by_weekday if self.both else by_number | by_weekday


class MonthlyRule(Protocol):
    """One of the day items that native cron lacks."""

    def __call__(self, first_weekday: int, length: int) -> int:
        """Return the chosen days of a month as bits, bit 0 being the 1st."""
        ...


class LastDay(NamedTuple):
    """``L``, or ``L-3`` for the third day before the last."""

    before: int = 0

    def __call__(self, first_weekday: int, length: int) -> int:
        """Return one day, or none where the month is too short."""
        return 1 << (length - 1 - self.before) if self.before < length else 0


class LastWorkday(NamedTuple):
    """``LW``: the last day of the month from Monday to Friday."""

    def __call__(self, first_weekday: int, length: int) -> int:
        """Return one day."""
        workdays = weekday_days(WORKDAYS, first_weekday, length)
        return 1 << (workdays.bit_length() - 1)


class NearestWorkday(NamedTuple):
    """``15W``: the day itself, or the nearest day from Monday to Friday within the same month, as in Quartz."""

    day: int

    def __call__(self, first_weekday: int, length: int) -> int:
        """Return one day, or none where the month does not have the day named."""
        if self.day > length:
            return 0
        weekday = (first_weekday + self.day - 1) % 7
        day = self.day
        if weekday == SATURDAY:
            day += -1 if day > 1 else 2
        elif weekday == SUNDAY:
            day += 1 if day < length else -2
        return 1 << (day - 1)


class NthWeekday(NamedTuple):
    """``MON#2``: the second Monday; a fifth one is missing from most months."""

    weekday: int
    ordinal: int

    def __call__(self, first_weekday: int, length: int) -> int:
        """Return one day, or none where the month has no such day."""
        day = (self.weekday - first_weekday) % 7 + 7 * (self.ordinal - 1)
        return 1 << day if day < length else 0


class LastWeekday(NamedTuple):
    """``FRIL``: the last Friday."""

    weekday: int

    def __call__(self, first_weekday: int, length: int) -> int:
        """Return one day."""
        return 1 << (weekday_days(1 << self.weekday, first_weekday, length).bit_length() - 1)


class ExtendedDays(NamedTuple):
    """Like :class:`CronDays`, with further rules on either side."""

    day_of_month_bits: int
    month_rules: tuple[MonthlyRule, ...]
    weekday_bits: int
    weekday_rules: tuple[MonthlyRule, ...]
    both: bool

    def days(self, first_weekday: int, length: int) -> int:
        """Return the chosen days as bits, bit 0 being the 1st."""
        by_number = month_days(self.day_of_month_bits, length)
        for rule in self.month_rules:
            by_number |= rule(first_weekday, length)
        by_weekday = weekday_days(self.weekday_bits, first_weekday, length)
        for rule in self.weekday_rules:
            by_weekday |= rule(first_weekday, length)
        return by_number & by_weekday if self.both else by_number | by_weekday
