"""The wall-clock times that a schedule names: calendar arithmetic on bit sets, without any time zone.

A wall-clock time is an integer here: the seconds from 1970-01-01 00:00:00 as read off a local clock, every day having
86,400 of them. What a time zone makes of these readings is the business of :mod:`timewright.timetable.recurrence`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from timewright.timetable.days import DayRule

DAY = 86_400
MINUTES_OF_DAY = 1_440
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = 4  # a Thursday, counting from Sunday
_FIRST_DAY = date.min.toordinal() - _EPOCH_ORDINAL
_LAST_DAY = date.max.toordinal() - _EPOCH_ORDINAL
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EVERY_MONTH = 0b1_1111_1111_1110
_EVERY_DAY = (1 << 31) - 1
_NOT_WORKED_OUT = -1

_from_ordinal = date.fromordinal


def minutes_of_day(minute_bits: int, hour_bits: int) -> int:
    """Combine the two fields into the bits of the minutes of a day, bit 0 being 00:00."""
    hour_starts = 0
    for hour in range(24):
        if hour_bits >> hour & 1:
            hour_starts |= 1 << (60 * hour)
    # The product places a copy of the 60 minute bits at the start of each hour; copies cannot overlap.
    return minute_bits * hour_starts


def month_length(year: int, month: int) -> int:
    """Return the number of days of a month in the (proleptic) Gregorian calendar."""
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        return 29
    return _LENGTHS[month]


def date_of_day(day: int) -> date:
    """Return the date that lies ``day`` days after 1970-01-01."""
    return _from_ordinal(day + _EPOCH_ORDINAL)


def day_of_date(year: int, month: int, day: int) -> int:
    """Return the number of days from 1970-01-01 to the date."""
    return date(year, month, day).toordinal() - _EPOCH_ORDINAL


def lowest_bit(bits: int) -> int:
    """Return the number of the lowest bit set; ``bits`` must not be zero."""
    return (bits & -bits).bit_length() - 1


class WallClock:
    """A set of wall-clock times: the product of seconds, minutes of the day, days, months and years."""

    __slots__ = (
        "_first_time",
        "_last_second",
        "_last_time",
        "_masks",
        "_per_day",
        "day_rule",
        "minutes_of_day",
        "months",
        "seconds",
        "years",
    )

    def __init__(
        self,
        *,
        minutes_of_day: int,
        day_rule: DayRule,
        months: int,
        seconds: int = 1,
        years: Iterable[int] | None = None,
    ) -> None:
        """Describe the set; every argument but ``day_rule`` and ``years`` is a set of bits.

        Args:
            minutes_of_day: bit 0 is 00:00, bit 1439 is 23:59.
            day_rule: which days of a month.
            months: bit 1 is January.
            seconds: bit 0 is second 0 of a minute.
            years: the years, or ``None`` for every year.

        """
        self.minutes_of_day = minutes_of_day
        self.day_rule = day_rule
        self.months = months
        self.seconds = seconds
        self.years = None if years is None else sorted(years)
        self._last_second = seconds.bit_length() - 1
        self._first_time = lowest_bit(minutes_of_day) * 60 + lowest_bit(seconds)
        self._last_time = (minutes_of_day.bit_length() - 1) * 60 + self._last_second
        self._per_day = seconds.bit_count() * minutes_of_day.bit_count()
        self._masks = [_NOT_WORKED_OUT] * 28

    def ever(self) -> bool:
        """Tell whether any time at all is in the set; the Gregorian calendar repeats after 400 years."""
        if not self._per_day:
            return False
        if self.years is not None:
            return any(self.month_mask(year, month) for year in self.years for month in range(1, 13))
        return any(
            self.months >> month & 1 and self.day_rule.days(weekday, 29 if month == 2 else _LENGTHS[month])
            for month in range(1, 13)
            for weekday in range(7)
        )

    def has_every_day(self) -> bool:
        """Tell whether no day of any year is left out."""
        if self.months != _EVERY_MONTH or self.years is not None:
            return False
        return all(self.day_rule.days(weekday, 31) == _EVERY_DAY for weekday in range(7))

    def month_mask(self, year: int, month: int) -> int:
        """Return the matching days of a month as bits, bit 0 being the 1st."""
        if not self.months >> month & 1 or not (self.years is None or year in self.years):
            return 0
        return self.day_mask(year, month)

    def day_mask(self, year: int, month: int) -> int:
        """Return what the day rule alone says about a month, whether or not the month is in the set."""
        length = month_length(year, month)
        shape = (day_of_date(year, month, 1) + _EPOCH_WEEKDAY) % 7 * 4 + length - 28
        mask = self._masks[shape]
        if mask == _NOT_WORKED_OUT:
            mask = self._masks[shape] = self.day_rule.days(shape // 4, length)
        return mask

    def times_on(self, day: int) -> int:
        """Return the matching minutes of one day as bits, bit 0 being 00:00."""
        on = date_of_day(day)
        return self.minutes_of_day if self.month_mask(on.year, on.month) >> (on.day - 1) & 1 else 0

    def next(self, wall: int) -> int | None:
        """Return the first matching time at or after ``wall``, or ``None`` when there is none up to the year 9999."""
        minute, second = divmod(wall, 60)
        if second > self._last_second:
            minute += 1
            second = 0
        day, minute = divmod(minute, MINUTES_OF_DAY)
        if not _FIRST_DAY <= day <= _LAST_DAY:
            return None
        on = _from_ordinal(day + _EPOCH_ORDINAL)
        mask = self.month_mask(on.year, on.month) >> (on.day - 1)
        if mask & 1:
            left = self.minutes_of_day >> minute
            if left & 1:
                return day * DAY + minute * 60 + second + lowest_bit(self.seconds >> second)
            if left:
                return day * DAY + (minute + lowest_bit(left)) * 60 + lowest_bit(self.seconds)
            mask ^= 1
        if mask:
            return (day + lowest_bit(mask)) * DAY + self._first_time
        return self._next_month(on.year, on.month)

    def _next_month(self, year: int, month: int) -> int | None:
        """Return the first matching time in the months after the given one."""
        while True:
            # Bits above the month, then the same months of the following year.
            ahead = (self.months | self.months << 12) >> (month + 1)
            month += lowest_bit(ahead) + 1
            if month > 12:
                month -= 12
                year += 1
            if self.years is not None and year not in self.years:
                later = bisect_right(self.years, year)
                if later == len(self.years):
                    return None
                year = self.years[later]
                month = lowest_bit(self.months)
            if year > date.max.year:
                return None
            mask = self.month_mask(year, month)
            if mask:
                return (day_of_date(year, month, 1) + lowest_bit(mask)) * DAY + self._first_time

    def previous(self, wall: int) -> int | None:
        """Return the last matching time at or before ``wall``, or ``None`` when there is none from the year 1 on."""
        day, time = divmod(wall, DAY)
        if day > _LAST_DAY:
            day, time = _LAST_DAY, DAY - 1
        if day < _FIRST_DAY:
            return None
        on = date_of_day(day)
        mask = self.month_mask(on.year, on.month) & ((1 << on.day) - 1)
        if mask >> (on.day - 1) & 1:
            latest = self._previous_time(time)
            if latest is not None:
                return day * DAY + latest
            mask ^= 1 << (on.day - 1)
        if mask:
            return (day - on.day + mask.bit_length()) * DAY + self._last_time
        return self._previous_month(on.year, on.month)

    def _previous_time(self, time: int) -> int | None:
        """Return the last matching second of a day at or before ``time``."""
        minute, second = divmod(time, 60)
        seconds = self.seconds & ((2 << second) - 1)
        if seconds and self.minutes_of_day >> minute & 1:
            return minute * 60 + seconds.bit_length() - 1
        earlier = self.minutes_of_day & ((1 << minute) - 1)
        return (earlier.bit_length() - 1) * 60 + self._last_second if earlier else None

    def _previous_month(self, year: int, month: int) -> int | None:
        """Return the last matching time in the months before the given one."""
        while True:
            behind = (self.months << 12 | self.months) & ((1 << (month + 12)) - 1)
            month = behind.bit_length() - 1 - 12
            if month < 1:
                month += 12
                year -= 1
            if self.years is not None and year not in self.years:
                earlier = bisect_left(self.years, year)
                if earlier == 0:
                    return None
                year = self.years[earlier - 1]
                month = self.months.bit_length() - 1
            if year < date.min.year:
                return None
            mask = self.month_mask(year, month)
            if mask:
                return (day_of_date(year, month, 1) + mask.bit_length() - 1) * DAY + self._last_time

    def count(self, start: int, end: int) -> int:
        """Return how many matching times lie in ``[start, end)``, by whole months wherever possible."""
        if end <= start:
            return 0
        first_day, first_time = divmod(start, DAY)
        last_day, last_time = divmod(end, DAY)
        if first_day == last_day:
            return self._count_before(last_day, last_time) - self._count_before(first_day, first_time)
        whole_days = self._count_days(first_day, last_day)
        return (
            whole_days * self._per_day
            - self._count_before(first_day, first_time)
            + self._count_before(last_day, last_time)
        )

    def _count_before(self, day: int, time: int) -> int:
        """Return how many matching times a day has before the second ``time``."""
        if not time or not self.times_on(day):
            return 0
        minute, second = divmod(time, 60)
        count = (self.minutes_of_day & ((1 << minute) - 1)).bit_count() * self.seconds.bit_count()
        if self.minutes_of_day >> minute & 1:
            count += (self.seconds & ((1 << second) - 1)).bit_count()
        return count

    def _count_days(self, first: int, end: int) -> int:
        """Return how many days in ``[first, end)`` match."""
        start, stop = date_of_day(first), date_of_day(end)
        if (start.year, start.month) == (stop.year, stop.month):
            mask = self.month_mask(start.year, start.month)
            return (mask >> (start.day - 1) & ((1 << (end - first)) - 1)).bit_count()
        count = (self.month_mask(start.year, start.month) >> (start.day - 1)).bit_count()
        count += (self.month_mask(stop.year, stop.month) & ((1 << (stop.day - 1)) - 1)).bit_count()
        whole_months = range(start.year * 12 + start.month, stop.year * 12 + stop.month - 1)
        return count + sum(self.month_mask(index // 12, index % 12 + 1).bit_count() for index in whole_months)
