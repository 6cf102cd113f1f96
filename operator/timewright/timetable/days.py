"""Which days of a month a schedule names.

A month is fully described by its shape: the weekday of its first day and its length. There are 28 shapes, so a rule
answers with one bit mask per shape (bit 0 is the 1st of the month) and the mask is worked out once.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

# Bit 0, 7, 14, …: multiplied by a week of seven bits, it repeats that week over 42 days.
_SIX_WEEKS = sum(1 << (7 * week) for week in range(6))


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
