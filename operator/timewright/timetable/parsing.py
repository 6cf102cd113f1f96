"""From what a user wrote to a :class:`~timewright.timetable.schedule.Schedule`."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from timewright.timetable.durations import parse_delay
from timewright.timetable.errors import ScheduleError
from timewright.timetable.every import Every
from timewright.timetable.native import EVERY, NativeFields, parse_fields, refuse_time_zone
from timewright.timetable.native_ticks import NativeTicks
from timewright.timetable.recurrence import Recurrence
from timewright.timetable.schedule import Schedule, second_of
from timewright.timetable.source import Limits, Source
from timewright.timetable.zones import EPOCH, load_zone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from timewright.timetable.calendars import Calendar, Excluded
    from timewright.timetable.daylight import DaylightSaving
    from timewright.timetable.windows import Window
    from timewright.timetable.zones import Zone

# A letter or sign that could be one of L, LW, 15W, MON#2, FRIL and H.
_PERHAPS_EXTENDED = re.compile("[LWHlwh#]")


class Dialect(StrEnum):
    """How much of the language is allowed."""

    NATIVE = "Native"
    """What a batch/v1 CronJob accepts: five fields, descriptors and ``@every``."""
    EXTENDED = "Extended"
    """All of it: also seconds, years, ``L``, ``LW``, ``15W``, ``MON#2``, ``FRIL`` and ``H``."""


def parse(
    expression: str | Sequence[str],
    *,
    time_zone: str | None = None,
    seed: str | None = None,
    dialect: Dialect = Dialect.EXTENDED,
    daylight_saving: DaylightSaving | None = None,
    windows: Sequence[str | Window] = (),
    calendars: Sequence[Calendar] = (),
    excluded: Excluded | None = None,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    anchor: datetime | None = None,
) -> Schedule:
    """Read one or several expressions as one schedule.

    Args:
        expression: one expression, or several whose ticks are taken together.
        time_zone: a name of the tz database, in which fields, windows and calendars are read; UTC when left out.
        seed: the identity of the task, by which ``H`` is spread; see ``timetable.spread.seed_of``.
        dialect: what the expressions may say. An expression that is native has the native ticks in both dialects.
        daylight_saving: what to do with times that the zone skips or repeats. Left out, native expressions behave as
            in Kubernetes, and others as ``DaylightSaving(Gap.SKIP, Overlap.BOTH)``.
        windows: times of the week outside of which there are no ticks, such as ``between 09:00-17:30 on weekdays``.
        calendars: days and hours that are closed.
        excluded: what becomes of ticks that calendars close; they are skipped when left out.
        start_at: the first instant that may be a tick.
        end_at: the last instant that may be a tick.
        anchor: an instant from which ``@every`` counts. Left out, a lone ``@every`` counts from whatever instant is
            asked about, as Kubernetes does from the last tick; together with other expressions or with limits it
            counts from ``start_at``, or from 1970.

    Raises:
        NeverFiresError: when there is no tick in 400 years.
        UnknownTimeZoneError: when the API server would refuse the time zone.
        ScheduleError: when anything else is not of the form described.

    """
    expressions = (expression,) if isinstance(expression, str) else tuple(expression)
    if not expressions:
        raise ScheduleError("no schedule is given", remedy="write at least one expression", field="schedules")
    zone = load_zone("UTC" if time_zone is None else time_zone)
    is_limited = bool(windows or calendars or start_at or end_at)
    if anchor is None and (is_limited or len(expressions) > 1):
        # Counting from whatever instant is asked about has no meaning where other rules place ticks too.
        anchor = start_at or EPOCH
    since = None if anchor is None else second_of(anchor)
    sources = tuple(_source(one, zone, dialect, seed, daylight_saving, since) for one in expressions)
    if len(sources) == 1 and not is_limited:
        return Schedule(sources, zone, sources[0].ticks)
    # Few schedules have limits, and all would pay for the import.
    from timewright.timetable.limiting import limited
    from timewright.timetable.windows import parse_window

    limits = Limits(
        windows=tuple(parse_window(window) if isinstance(window, str) else window for window in windows),
        calendars=tuple(calendars),
        excluded=excluded,
        start=None if start_at is None else second_of(start_at) + bool(start_at.microsecond),
        end=None if end_at is None else second_of(end_at),
    )
    return Schedule(sources, zone, limited(sources, zone, limits), limits)


def _source(
    expression: str,
    zone: Zone,
    dialect: Dialect,
    seed: str | None,
    policy: DaylightSaving | None,
    anchor: int | None,
) -> Source:
    refuse_time_zone(expression)
    if expression.startswith(EVERY):
        try:
            delay = parse_delay(expression[len(EVERY) :], len(EVERY))
        except ScheduleError as error:
            error.expression = expression
            raise
        return Source(expression, None, Every(delay, anchor), native=anchor is None)
    if dialect is Dialect.EXTENDED and (_PERHAPS_EXTENDED.search(expression) or len(expression.split()) > 5):
        from timewright.timetable.extended import is_extended, parse_extended

        if is_extended(expression):
            wallclock = parse_extended(expression, seed)
            return Source(expression, wallclock, Recurrence(wallclock, zone, policy), native=False, policy=policy)
    fields = _native_fields(expression)
    if policy is not None:
        ticks = Recurrence(fields.wallclock, zone, policy)
        return Source(expression, fields.wallclock, ticks, native=False, policy=policy)
    return Source(expression, fields.wallclock, NativeTicks(fields, zone), native=True)


def _native_fields(expression: str) -> NativeFields:
    try:
        return parse_fields(expression)
    except ScheduleError as error:
        from timewright.timetable.extended import is_extended

        if error.field != "schedule" and is_extended(expression):
            error.remedy = "what a CronJob accepts has no L, LW, 15W, MON#2, FRIL and H"
        raise
