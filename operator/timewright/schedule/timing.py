"""From what was said of when a task runs to the arguments of `timetable.parse`."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from timewright.schedule.times_of_day import EVERY_DAY, day_field
from timewright.timetable.spread import seed_of
from timewright.timetable.zones import EPOCH, load_zone

if TYPE_CHECKING:
    from timewright.schedule.calendars import DeclaredCalendar
    from timewright.schedule.settings import Settings
    from timewright.timetable.calendars import Excluded
    from timewright.timetable.daylight import DaylightSaving
    from timewright.timetable.windows import Window

_MIDNIGHT = 86_400


class ParseArguments(NamedTuple):
    """What becomes the arguments of `timetable.parse`, to compare and to digest."""

    expression: tuple[str, ...]
    time_zone: str
    seed: str | None
    daylight_saving: DaylightSaving | None
    windows: tuple[Window, ...]
    calendars: tuple[DeclaredCalendar, ...]
    excluded: Excluded | None
    start_at: datetime | None
    end_at: datetime | None

    def as_keywords(self) -> dict[str, Any]:
        """Return them by their names.

        `@every` stays on a grid: what asks for ticks does not always ask from one.
        """
        calendars = [each.calendar for each in self.calendars]
        return {**self._asdict(), "calendars": calendars, "anchor": self.start_at or EPOCH}

    def digest(self) -> str:
        """Return a short text that changes whenever the ticks may, apart from what a calendar of `closed_by` says."""
        said = {**self._asdict(), "calendars": [each.identity for each in self.calendars]}
        return blake2b(repr(said).encode(), digest_size=8).hexdigest()


def parse_arguments(settings: Settings, salt: str, schedule: str, name: str) -> ParseArguments:
    """Return the arguments for a task.

    Raises:
        ScheduleError: when the time zone is unknown, in which a start or an end is told.

    """
    zone = settings.time_zone or "UTC"
    expressions, windows = _expressions(settings)
    spread = any("H" in one or "h" in one for one in expressions)
    return ParseArguments(
        expressions,
        zone,
        seed_of(salt, schedule, name) if spread else None,
        settings.daylight_saving,
        windows,
        settings.calendars,
        settings.when_closed,
        _instant(settings.start_at, zone, time.min),
        _instant(settings.end_at, zone, time(23, 59, 59)),
    )


def _expressions(settings: Settings) -> tuple[tuple[str, ...], tuple[Window, ...]]:
    """Return expressions, and windows besides: weekdays are one where cron would read either day field as enough."""
    days, windows = settings.days, settings.windows
    if settings.expressions:
        return settings.expressions, windows if days is None else (*windows, _other_days(days))
    day_of_week = settings.day_of_week
    if days is not None:
        if settings.day_of_month in ("*", "?"):
            day_of_week = day_field(days)
        else:
            day_of_week = "*"
            windows = (*windows, _other_days(days))
    expression = f"{settings.minute} {settings.hour} {settings.day_of_month} {settings.month} {day_of_week}"
    return (expression if settings.second == "0" else f"{settings.second} {expression}",), windows


def _other_days(days: int) -> Window:
    from timewright.timetable.windows import Window

    return Window(0, _MIDNIGHT, EVERY_DAY & ~days, negated=True)


def _instant(value: date | datetime | None, zone: str, time_of_day: time) -> datetime | None:
    """Return an aware instant of a date or a time; of a date that ends something, its last second."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime.combine(value, time_of_day)
    if value.tzinfo is None:
        load_zone(zone)
        value = value.replace(tzinfo=ZoneInfo(zone))
    return value.astimezone(UTC)
