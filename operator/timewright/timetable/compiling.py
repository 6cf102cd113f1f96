"""A schedule → the native CronJob expressions that fire whenever it has a tick, and the gate that holds back the rest.

What native cron can say stays as it is and needs no gate. Everything else becomes the tightest expressions found here
that miss no tick. ``filter(gate.admits, ticks of the expressions)`` is then exactly the schedule.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from itertools import combinations
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.calendars import Excluded
from timewright.timetable.changes import Change, affected_times, changes_between
from timewright.timetable.daylight import Gap, Overlap
from timewright.timetable.errors import ScheduleError
from timewright.timetable.every import Every
from timewright.timetable.fields import HOUR, MONTH
from timewright.timetable.gate import Gate
from timewright.timetable.native_expressions import (
    ANY_DAY,
    DayFields,
    expression,
    expressions_of,
    have_common_times,
    native_days,
)
from timewright.timetable.schedule import second_of
from timewright.timetable.source import Limits
from timewright.timetable.wallclock import DAY, date_of_day
from timewright.timetable.windows import open_minutes

if TYPE_CHECKING:
    from timewright.timetable.schedule import Schedule
    from timewright.timetable.source import Source
    from timewright.timetable.wallclock import WallClock
    from timewright.timetable.windows import Window
    from timewright.timetable.zones import Zone

_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
# How far ahead changes of the clock are looked at: the rules in force now go on for as long.
_HORIZON = 60 * 366 * DAY
# Each expression becomes a CronJob; beyond this many, one that fires too often and a gate are the lesser evil.
_MOST_EXPRESSIONS = 4
_MINUTES_OF_HOUR = (1 << 60) - 1
_EVERY_WEEKDAY = 0b1111111


class Compiled(NamedTuple):
    """What to hand to the native controller; without a gate, its ticks are exactly those of the schedule."""

    expressions: tuple[str, ...]
    gate: Gate | None


class _Native(NamedTuple):
    """The native expressions of one source, and whether they say neither more nor less."""

    expressions: tuple[str, ...]
    exact: bool


def compile_schedule(schedule: Schedule, *, since: datetime = _SINCE) -> Compiled:
    """Compile a schedule for native CronJobs.

    Args:
        schedule: what to compile.
        since: only what a zone's clocks do after this instant is taken into account.

    Raises:
        ScheduleError: when the schedule has ticks that are not at full minutes, which a CronJob cannot have.

    """
    changes = _changes(schedule.zone, second_of(since))
    limits = schedule.limits
    moves = bool(limits.calendars) and limits.excluded not in (None, Excluded.SKIP)
    # Windows that native cron can say are no longer in the way of an exact translation.
    beyond = limits._replace(windows=()) != Limits()
    natives = [_native(one, changes, limits, any_day=moves) for one in schedule.sources]
    expressions = tuple(dict.fromkeys(text for one in natives for text in one.expressions))
    coincide = any(_may_coincide(one, other) for one, other in combinations(schedule.sources, 2))
    exact = all(one.exact for one in natives) and not beyond and not coincide
    return Compiled(expressions, None if exact else Gate(schedule))


class _Changes(NamedTuple):
    """The changes from an instant on; ``regular`` tells that none of them throws robfig/cron's walk off."""

    changes: list[Change]
    offsets: frozenset[int]
    regular: bool


def _changes(zone: Zone, since: int) -> _Changes:
    end = since + _HORIZON
    changes = changes_between(zone, since, end)
    spans = zone.covering(end)
    regular = bisect_left(spans.irregular, since) == bisect_left(spans.irregular, end)
    return _Changes(changes, frozenset(offset for _, _, offset in spans.within(since, end)), regular)


def _native(source: Source, changes: _Changes, limits: Limits, *, any_day: bool) -> _Native:
    if isinstance(source.ticks, Every):
        native = _native_delay(source.expression, source.ticks, changes)
        return native._replace(exact=native.exact and not limits.windows)
    wallclock = source.wallclock
    if wallclock is None or wallclock.seconds != 1:
        raise ScheduleError(
            "a CronJob cannot start at a second other than 0",
            remedy="use mode: Daemon, which timewright schedule:work runs, or write 0 in the seconds field",
            expression=source.expression,
            field="schedule",
        )
    if source.native and not any_day and not (limits.windows and changes.regular):
        return _Native((source.expression,), exact=not limits.windows)
    if not changes.regular and not source.native:
        return _Native((_every_hour(source, wallclock, changes),), exact=False)
    days = ANY_DAY._replace(exact=False) if any_day else native_days(wallclock.day_rule, wallclock.months)
    months = MONTH.everything if any_day else wallclock.months
    native = _windowed(wallclock.minutes_of_day, months, days, () if any_day else limits.windows)
    exact = native.exact and days.exact and wallclock.years is None and not (any_day and limits.windows)
    made_up, policy_is_exact = _under_policy(source, changes)
    return _Native(native.expressions + made_up, exact and policy_is_exact)


def _every_hour(source: Source, wallclock: WallClock, changes: _Changes) -> str:
    """Return an expression that no change of the clock throws off, because it leaves out no hour and no day."""
    minutes = 0
    for hour in range(24):
        minutes |= wallclock.minutes_of_day >> (60 * hour) & _MINUTES_OF_HOUR
    if source.policy is not None and source.policy.gap is Gap.RUN_AFTER:
        for change in changes.changes:
            minutes |= 1 << (change.instant + change.after) // 60 % 60
    return expression(minutes, HOUR.everything, MONTH.everything, ANY_DAY)


def _windowed(minutes_of_day: int, months: int, days: DayFields, windows: tuple[Window, ...]) -> _Native:
    """Narrow minutes to windows, as far as few expressions can say it."""
    if not windows:
        return _fewest(minutes_of_day, months, days, exact=True)
    by_weekday = [minutes_of_day & open_minutes(windows, weekday) for weekday in range(7)]
    anywhere = 0
    for minutes in by_weekday:
        anywhere |= minutes
    if days.days_of_month is not None:
        # Native cron cannot ask for a day of the month and a weekday at once.
        return _fewest(anywhere, months, days, exact=all(minutes == anywhere for minutes in by_weekday))
    weekdays_by_minutes: dict[int, int] = {}
    for weekday, minutes in enumerate(by_weekday):
        if minutes and (days.weekdays is None or days.weekdays >> weekday & 1):
            weekdays_by_minutes[minutes] = weekdays_by_minutes.get(minutes, 0) | 1 << weekday
    expressions = tuple(
        text
        for minutes, weekdays in weekdays_by_minutes.items()
        for text in expressions_of(minutes, months, DayFields(None, weekdays if weekdays != _EVERY_WEEKDAY else None))
    )
    if len(expressions) <= _MOST_EXPRESSIONS:
        return _Native(expressions, exact=True)
    return _fewest(anywhere, months, days, exact=False)


def _fewest(minutes_of_day: int, months: int, days: DayFields, *, exact: bool) -> _Native:
    expressions = expressions_of(minutes_of_day, months, days)
    if len(expressions) <= _MOST_EXPRESSIONS:
        return _Native(expressions, exact)
    hours, minutes = 0, 0
    for hour in range(24):
        of_hour = minutes_of_day >> (60 * hour) & _MINUTES_OF_HOUR
        minutes |= of_hour
        hours |= bool(of_hour) << hour
    return _Native((expression(minutes, hours, months, days),), exact=False)


def _under_policy(source: Source, changes: _Changes) -> tuple[tuple[str, ...], bool]:
    """Return expressions for the ticks that make up for a gap, and whether the policy differs from the native one."""
    policy = source.policy
    made_up: dict[str, None] = {}
    exact = True
    for change in changes.changes if policy is not None else ():
        if policy is None or not affected_times(source, change):
            continue
        if change.after < change.before:
            exact = exact and policy.overlap is Overlap.BOTH
        elif policy.gap is Gap.RUN_AFTER:
            exact = False
            made_up[_expression_at(change.high)] = None
    return tuple(made_up), exact


def _expression_at(wall: int) -> str:
    """Return an expression for a wall-clock time on its weekday, in its month of every year."""
    day, time = divmod(wall, DAY)
    on = date_of_day(day)
    hour, minute = divmod(time // 60, 60)
    return expression(1 << minute, 1 << hour, 1 << on.month, DayFields(None, 1 << on.isoweekday() % 7))


def _native_delay(written: str, every: Every, changes: _Changes) -> _Native:
    if every.anchor is None:
        return _Native((written,), exact=True)
    if every.delay % 60 or every.anchor % 60:
        raise ScheduleError(
            f"a CronJob cannot start every {every.delay} seconds counted from an anchor",
            remedy="use mode: Daemon, which timewright schedule:work runs, or a delay and an anchor of whole minutes",
            expression=written,
            field="schedule",
        )
    step = gcd(every.delay // 60, 60)
    minutes = 0
    for offset in changes.offsets:
        minutes |= sum(1 << minute for minute in range((every.anchor + offset) // 60 % step, 60, step))
    exact = 3_600 % every.delay == 0 and minutes.bit_count() == 60 // step
    hours = HOUR.everything
    if len(changes.offsets) == 1 and every.delay % 3_600 == 0:
        stride = gcd(every.delay // 3_600, 24)
        first = (every.anchor + next(iter(changes.offsets))) // 3_600 % stride
        hours = sum(1 << hour for hour in range(first, 24, stride))
        exact = DAY % every.delay == 0
    return _Native((expression(minutes, hours, MONTH.everything, ANY_DAY),), exact)


def _may_coincide(one: Source, other: Source) -> bool:
    """Tell whether two CronJobs could fire at the same instant, which would run one tick twice."""
    if one.wallclock is None or other.wallclock is None:
        return True
    made_up = any(source.policy is not None and source.policy.gap is Gap.RUN_AFTER for source in (one, other))
    return made_up or have_common_times(one.wallclock, other.wallclock)
