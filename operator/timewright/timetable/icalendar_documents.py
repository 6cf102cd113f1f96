"""An iCalendar document (RFC 5545) → a calendar of closed days and hours.

Reading is done by the ``icalendar`` package and repetition (``RRULE``, ``RDATE``, ``EXDATE``, moved instances) by
``recurring-ical-events``; both are installed separately and loaded only here. All-day events close the days they name;
others close the time from their start to their end. Cancelled events and those marked free (``TRANSP:TRANSPARENT``)
close nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from timewright.timetable.calendars import Events
from timewright.timetable.errors import ScheduleError
from timewright.timetable.schedule import second_of
from timewright.timetable.wallclock import DAY, date_of_day, day_of_date

if TYPE_CHECKING:
    from timewright.timetable.zones import Zone

_ANY_YEAR = 2024


class Document:
    """The closed days and hours of an iCalendar document, in any year: each is worked out when it is asked for."""

    def __init__(self, document: str, zone: Zone, name: str = "iCalendar") -> None:
        """Take the text of a document, and the zone of times that name none ("floating" times).

        Raises:
            ScheduleError: when the text is no iCalendar document, or the packages are not installed.

        """
        self.name = name
        self._document = document
        self._zone = zone
        self._years: dict[int, Events] = {}
        self._year(_ANY_YEAR)

    def closes(self, day: int) -> bool:
        """Tell whether a local day is closed as a whole; ``day`` counts from 1970-01-01."""
        return self._year(date_of_day(day).year).closes(day)

    def closed_hours(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the closed stretches shorter than a day that touch ``[start, end)`` (UTC seconds)."""
        # Which year a stretch belongs to is a matter of local time, at most a day away.
        first, last = (date_of_day(second // DAY + shift).year for second, shift in ((start, -1), (end, 1)))
        years = [self._year(year) for year in range(first, last + 1)]
        return sorted({stretch for year in years for stretch in year.closed_hours(start, end)})

    def _year(self, year: int) -> Events:
        events = self._years.get(year)
        if events is None:
            events = read_calendar(self._document, zone=self._zone, first_year=year, last_year=year, name=self.name)
            self._years[year] = events
        return events


def read_calendar(document: str, *, zone: Zone, first_year: int, last_year: int, name: str = "iCalendar") -> Events:
    """Read the closed days and hours of some years.

    Args:
        document: the text of the document.
        zone: the zone of times that name none ("floating" times).
        first_year: where to begin; a repetition without an end needs bounds.
        last_year: the last year to take.
        name: what people call the calendar.

    Raises:
        ScheduleError: when the text is no iCalendar document, or the packages are not installed.

    """
    try:
        import icalendar
        import recurring_ical_events  # type: ignore[import-untyped]
    except ImportError as error:
        raise ScheduleError(
            "iCalendar documents need the icalendar and recurring-ical-events packages",
            remedy="install timewright[calendars]",
            field="calendars",
        ) from error
    try:
        parsed = icalendar.Calendar.from_ical(document)
        events = recurring_ical_events.of(parsed).between(date(first_year, 1, 1), date(last_year + 1, 1, 1))
    except (ValueError, KeyError) as error:
        raise ScheduleError(
            f"calendar {name!r} is not an iCalendar document: {error}",
            remedy="it must begin with BEGIN:VCALENDAR; see RFC 5545",
            field="calendars",
            value=name,
        ) from error
    days: set[int] = set()
    hours: list[tuple[int, int]] = []
    for event in events:
        if _closes(event):
            _add(event, zone, days, hours)
    return Events(days, hours, name)


def _closes(event: Any) -> bool:
    return str(event.get("STATUS", "")).upper() != "CANCELLED" and str(event.get("TRANSP", "")).upper() != "TRANSPARENT"


def _add(event: Any, zone: Zone, days: set[int], hours: list[tuple[int, int]]) -> None:
    start, end = event.start, event.end
    if isinstance(start, datetime):
        hours.append((_second(start, zone), _second(end, zone)))
        return
    first = day_of_date(start.year, start.month, start.day)
    # The end of an all-day event is the day after its last.
    days.update(range(first, max(first + 1, day_of_date(end.year, end.month, end.day))))


def _second(instant: datetime, zone: Zone) -> int:
    if instant.tzinfo is not None:
        return second_of(instant)
    floating = second_of(instant.replace(tzinfo=UTC))
    return floating - zone.offset(floating - zone.offset(floating))
