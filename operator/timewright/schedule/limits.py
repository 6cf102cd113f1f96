"""What narrows a schedule: weekdays, times of day, dates, holidays, time zones."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from timewright.schedule.calendars import DeclaredCalendar
from timewright.schedule.choices import read_choice
from timewright.schedule.fluent import Changed, Fluent, contradiction, refusal
from timewright.schedule.times_of_day import (
    MONDAY_TO_FRIDAY,
    SATURDAY_AND_SUNDAY,
    TimeOfDay,
    Weekday,
    flat,
    read_time,
    read_weekdays,
)
from timewright.timetable.errors import ScheduleError
from timewright.timetable.zones import load_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from timewright.timetable.calendars import Calendar
    from timewright.timetable.windows import Window

_MIDNIGHT = 86_400
Instant = datetime | date | str
"""A date or a time, as an object or in ISO 8601; without an offset it is read in the task's time zone."""


class Limits(Fluent[Changed]):
    """What narrows a schedule."""

    __slots__ = ()

    def time_zone(self, zone: str | ZoneInfo) -> Changed:
        """Read times, weekdays and dates in a time zone, such as `Europe/Berlin`. UTC when nothing says otherwise."""
        changed, settings = self._change()
        name = zone if isinstance(zone, str) else getattr(zone, "key", None)
        if not isinstance(name, str):
            raise refusal("time_zone", zone, "has no name", 'write the name of a time zone, such as "Europe/Berlin"')
        try:
            load_zone(name)
        except ScheduleError as error:
            raise refusal("time_zone", name, error.problem, error.remedy) from error
        settings.time_zone = name
        return changed

    def daylight_saving(self, *, gap: str = "Skip", overlap: str = "Both") -> Changed:
        """Say what to do with local times that a change of the clock leaves out or repeats.

        Args:
            gap: `Skip` leaves the tick out, `RunAfter` runs it at the first instant after the gap.
            overlap: `First`, `Last` or `Both` of the two instants are ticks.

        """
        from timewright.timetable.daylight import DaylightSaving, Gap, Overlap

        changed, settings = self._change()
        settings.daylight_saving = DaylightSaving(
            read_choice("daylight_saving gap", gap, Gap), read_choice("daylight_saving overlap", overlap, Overlap)
        )
        return changed

    def days(self, *days: Weekday | Iterable[Weekday]) -> Changed:
        """Limit it to days of the week: `days("mon", "wed")`, `days("mon-fri")`, `days(0, 3)` (Sunday is 0)."""
        return self._days("days", read_weekdays("days", flat(days)))

    def weekdays(self) -> Changed:
        """Limit it to Monday to Friday."""
        return self._days("weekdays", MONDAY_TO_FRIDAY)

    def weekends(self) -> Changed:
        """Limit it to Saturday and Sunday."""
        return self._days("weekends", SATURDAY_AND_SUNDAY)

    def sundays(self) -> Changed:
        """Limit it to Sundays."""
        return self._days("sundays", 1 << 0)

    def mondays(self) -> Changed:
        """Limit it to Mondays."""
        return self._days("mondays", 1 << 1)

    def tuesdays(self) -> Changed:
        """Limit it to Tuesdays."""
        return self._days("tuesdays", 1 << 2)

    def wednesdays(self) -> Changed:
        """Limit it to Wednesdays."""
        return self._days("wednesdays", 1 << 3)

    def thursdays(self) -> Changed:
        """Limit it to Thursdays."""
        return self._days("thursdays", 1 << 4)

    def fridays(self) -> Changed:
        """Limit it to Fridays."""
        return self._days("fridays", 1 << 5)

    def saturdays(self) -> Changed:
        """Limit it to Saturdays."""
        return self._days("saturdays", 1 << 6)

    def between(self, start: TimeOfDay, end: TimeOfDay) -> Changed:
        """Limit it to a time of the day, both ends included; one that ends before it begins lasts past midnight.

        Each `between` narrows further. For several times of the day that are all right, see `during`.
        """
        from timewright.timetable.windows import Window

        first, last = read_time("between", start), read_time("between", end, latest=_MIDNIGHT)
        changed, settings = self._change()
        if not _opening(settings.windows):
            settings.windows = (*settings.windows, Window(first, last))
        else:
            # Windows that open are alternatives, so what narrows further has to close the rest of the day.
            settings.windows = (*settings.windows, *_outside(first, last))
        return changed

    def unless_between(self, start: TimeOfDay, end: TimeOfDay) -> Changed:
        """Keep it from running at a time of the day, both ends included."""
        from timewright.timetable.windows import Window

        window = Window(
            read_time("unless_between", start), read_time("unless_between", end, latest=_MIDNIGHT), negated=True
        )
        changed, settings = self._change()
        settings.windows = (*settings.windows, window)
        return changed

    def during(self, *windows: str) -> Changed:
        """Limit it to any of some times of the week: `during("09:00-12:00 on weekdays", "10:00-11:00 on sat")`.

        One that begins with `not` is excluded. See docs/schedules.md for how windows are written.
        """
        from timewright.timetable.windows import parse_window

        try:
            read = [parse_window(window) for window in windows]
        except (ScheduleError, TypeError) as error:
            raise refusal("during", windows, "is not understood", str(error)) from error
        changed, settings = self._change()
        if _opening(read) and _opening(settings.windows):
            raise contradiction("during", "comes after other times of the day", "say all of them in one during()")
        settings.windows = (*settings.windows, *read)
        return changed

    def starts_at(self, instant: Instant) -> Changed:
        """Have no ticks before an instant."""
        changed, settings = self._change()
        settings.start_at = _read_instant("starts_at", instant)
        return changed

    def ends_at(self, instant: Instant) -> Changed:
        """Have no ticks after an instant."""
        changed, settings = self._change()
        settings.end_at = _read_instant("ends_at", instant)
        return changed

    def closed_on(self, *dates: date | str) -> Changed:
        """Keep it from running on some dates: `closed_on("2026-12-24", date(2026, 12, 31))`."""
        from timewright.timetable.calendars import Dates

        if not dates:
            raise refusal("closed_on", dates, "is empty", 'write dates like "2026-12-24"')
        manifest = {"dates": [str(each) for each in dates]}
        return self._calendar("closed_on", lambda: Dates(dates), dates, manifest)

    def closed_on_holidays(self, country: str, subdivision: str | None = None) -> Changed:
        """Keep it from running on public holidays: `closed_on_holidays("DE", "BY")`. Needs `timewright[calendars]`."""
        from timewright.timetable.calendars import Holidays

        part = {} if subdivision is None else {"subdivision": subdivision}
        manifest = {"holidays": {"country": country, **part}}
        return self._calendar("closed_on_holidays", lambda: Holidays(country, subdivision), country, manifest)

    def closed_by(self, calendar: Calendar) -> Changed:
        """Keep it from running when a calendar of `timewright.timetable.calendars` is closed."""
        return self._calendar("closed_by", lambda: calendar, calendar, None)

    def when_closed(self, what: str) -> Changed:
        """Say what becomes of ticks that a calendar closes: `Skip`, or move to the `PreviousDay` or `NextDay`."""
        from timewright.timetable.calendars import Excluded

        changed, settings = self._change()
        settings.when_closed = read_choice("when_closed", what, Excluded)
        return changed

    def _calendar(
        self, field: str, make: Callable[[], Calendar], value: object, manifest: dict[str, Any] | None
    ) -> Changed:
        try:
            calendar = make()
        except ScheduleError as error:
            raise refusal(field, value, error.problem, error.remedy) from error
        changed, settings = self._change()
        settings.calendars = (*settings.calendars, DeclaredCalendar(calendar, manifest))
        return changed

    def _days(self, field: str, bits: int) -> Changed:
        changed, settings = self._change()
        if settings.days_by is not None and settings.days != bits:
            problem = f"comes after {settings.days_by}(), which limits it to other days"
            raise contradiction(field, problem, 'say all of them in one, such as days("mon", "wed")')
        settings.days, settings.days_by = bits, field
        return changed


def _opening(windows: Sequence[Window]) -> bool:
    return any(not window.negated for window in windows)


def _outside(first: int, last: int) -> list[Window]:
    """Return windows that close all of the day but a stretch of it, both ends of which are left open."""
    from timewright.timetable.windows import Window

    if last < first:
        return [Window(last + 1, first - 1, negated=True)] if first - last > 1 else []
    before = [Window(0, first - 1, negated=True)] if first else []
    return [*before, Window(last + 1, _MIDNIGHT, negated=True)] if last < _MIDNIGHT - 1 else before


def _read_instant(field: str, value: Instant) -> datetime | date:
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise refusal(field, value, "is no date or time", 'write one like "2026-12-24T08:00"') from error
