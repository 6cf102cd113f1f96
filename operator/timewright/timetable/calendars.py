"""``calendars``: dates and times on which nothing runs, and where their ticks go instead."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from timewright.timetable.errors import ScheduleError
from timewright.timetable.wallclock import date_of_day

if TYPE_CHECKING:
    from collections.abc import Iterable


_ANY_YEAR = 2024


class Excluded(StrEnum):
    """What becomes of a tick on an excluded day."""

    SKIP = "Skip"
    PREVIOUS_DAY = "PreviousDay"
    """It moves to the same local time of the nearest day before that is not excluded."""
    NEXT_DAY = "NextDay"
    """It moves to the same local time of the nearest day after that is not excluded."""


class Calendar(Protocol):
    """Closed days and hours."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def closes(self, day: int) -> bool:
        """Tell whether a whole local day is closed; ``day`` counts from 1970-01-01."""
        ...

    def closed_hours(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the closed stretches shorter than a day that touch ``[start, end)`` (UTC seconds)."""
        ...


class Dates:
    """A calendar of given dates."""

    def __init__(self, dates: Iterable[date | str], name: str = "dates") -> None:
        """Take dates, or their ISO 8601 texts such as ``2026-12-25``.

        Raises:
            ScheduleError: when a text is not a date.

        """
        self.name = name
        self._dates = frozenset(_date(one) for one in dates)

    def closes(self, day: int) -> bool:
        """Tell whether a local day is among the dates."""
        return date_of_day(day) in self._dates

    def closed_hours(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return nothing: dates close whole days."""
        return []


class Holidays:
    """The public holidays of a country, as the ``holidays`` package knows them (installed separately)."""

    def __init__(self, country: str, subdivision: str | None = None) -> None:
        """Take ISO 3166 codes, such as ``DE`` and ``BY``.

        Raises:
            ScheduleError: when the country or its subdivision is unknown, or the package is not installed.

        """
        self.name = f"holidays of {country}" + (f"-{subdivision}" if subdivision else "")
        self._country = country
        self._subdivision = subdivision
        _holidays_of(country, subdivision, _ANY_YEAR)

    def closes(self, day: int) -> bool:
        """Tell whether a local day is a public holiday."""
        on = date_of_day(day)
        return on in _holidays_of(self._country, self._subdivision, on.year)

    def closed_hours(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return nothing: holidays close whole days."""
        return []


class Events:
    """A calendar of whole days and of stretches of time, such as an iCalendar document describes."""

    def __init__(self, days: Iterable[int], hours: Iterable[tuple[int, int]], name: str = "events") -> None:
        """Take local days counted from 1970-01-01, and stretches ``[start, end)`` in UTC seconds."""
        self.name = name
        self._days = frozenset(days)
        self._hours = sorted(hours)
        self._starts = [start for start, _ in self._hours]
        self._longest = max((end - start for start, end in self._hours), default=0)

    def closes(self, day: int) -> bool:
        """Tell whether a local day is closed as a whole."""
        return day in self._days

    def closed_hours(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the stretches that touch ``[start, end)``."""
        first = bisect_right(self._starts, start - self._longest - 1)
        last = bisect_right(self._starts, end)
        return [(begin, until) for begin, until in self._hours[first:last] if until > start and begin < end]


def _date(value: date | str) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ScheduleError(
            f"calendar date {value!r} is not a date",
            remedy="write it like 2026-12-25",
            field="calendars",
            value=value,
        ) from error


@lru_cache(maxsize=256)
def _holidays_of(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    try:
        import holidays
    except ImportError as error:
        raise ScheduleError(
            f"holidays of {country!r} need the holidays package",
            remedy="install timewright[calendars]",
            field="calendars",
            value=country,
        ) from error
    try:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError as error:
        raise ScheduleError(
            f"no holidays are known for {country!r}" + (f" and its part {subdivision!r}" if subdivision else ""),
            remedy="use ISO 3166 codes such as DE, and BY for its part",
            field="calendars",
            value=country,
        ) from error
