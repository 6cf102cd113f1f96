"""What a user should know about a schedule before relying on it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from timewright.timetable.changes import affected_times, changes_between
from timewright.timetable.daylight import Gap, Overlap
from timewright.timetable.days import CronDays
from timewright.timetable.fields import DAY_OF_WEEK, HOUR, MINUTE
from timewright.timetable.native import DESCRIPTORS, WORD
from timewright.timetable.native_ticks import NativeTicks
from timewright.timetable.wallclock import DAY, date_of_day, month_length
from timewright.timetable.wording import MONTHS, clock, listed, numbers, ordinal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timewright.timetable.fields import Field
    from timewright.timetable.schedule import Schedule
    from timewright.timetable.source import Source
    from timewright.timetable.wallclock import WallClock
    from timewright.timetable.zones import Zone

_A_YEAR = 366 * DAY
_A_LEAP_YEAR = 2024
_ALL_MINUTES = (1 << 60) - 1
_STEP = re.compile(r"(?:[*?]|0|[0-9]+-[0-9]+)/([0-9]{1,4})\Z", re.ASCII)
_IGNORED = re.compile(r"[*?]-[^/,\s]*")


def cautions(schedule: Schedule, start: int) -> list[str]:
    """Return warnings, each a sentence without its full stop.

    ``start`` (UTC seconds) begins the year whose changes of the clock are looked at.
    """
    found: list[str] = []
    for source in schedule.sources:
        wallclock = source.wallclock
        if wallclock is None:
            continue
        found += _every_minute(wallclock)
        found += _either_day(wallclock)
        found += _missing_days(wallclock)
        found += _uneven_steps(source)
        found += _changes_of_clock(source, schedule.zone, start)
        found += _passed_over(source, schedule.zone, start)
    return list(dict.fromkeys(found))


def _every_minute(wallclock: WallClock) -> Iterator[str]:
    hours = [hour for hour in range(24) if wallclock.minutes_of_day >> (60 * hour) & _ALL_MINUTES == _ALL_MINUTES]
    if not 0 < len(hours) < 24 or wallclock.minutes_of_day.bit_count() != 60 * len(hours):
        return
    if len(hours) == 1:
        yield f"runs every minute of hour {hours[0]}, 60 times: write minute 0 to run once, at {clock(60 * hours[0])}"
    elif len(hours) <= 6:
        named = listed([str(hour) for hour in hours])
        yield f"runs every minute of the hours {named}: write minute 0 to run once an hour"


def _either_day(wallclock: WallClock) -> Iterator[str]:
    rule = wallclock.day_rule
    if isinstance(rule, CronDays) and not rule.both and rule.day_of_month_bits and rule.weekday_bits:
        yield "runs when either day of month or day of week matches, not only when both do; restrict one by a window"


def _missing_days(wallclock: WallClock) -> Iterator[str]:
    rule = wallclock.day_rule
    if not isinstance(rule, CronDays) or not rule.both or rule.weekday_bits != DAY_OF_WEEK.everything:
        return
    days = numbers(rule.day_of_month_bits)
    if days == [29] and wallclock.months == 1 << 2:
        yield "runs in leap years only: other years have no 29 February"
        return
    chosen = numbers(wallclock.months)
    short = [month for month in chosen if days[0] > month_length(_A_LEAP_YEAR, month)]
    if short:
        names = listed([MONTHS[month] for month in short])
        missing = "has" if len(short) == 1 else "have"
        missing += f" no {listed([ordinal(day) for day in days], 'or')}"
        yield f"skips {names}, which {missing}; L means the last day of any month"
    elif days == [29] and 2 in chosen:
        yield "skips February except in leap years, having no 29th; L means the last day of any month"


def _uneven_steps(source: Source) -> Iterator[str]:
    words = WORD.findall(DESCRIPTORS.get(source.expression, source.expression))
    for word, field in zip(words[-5:] if len(words) == 6 else words[:5], (MINUTE, HOUR), strict=False):
        yield from _uneven_step(word, field)
    for match in _IGNORED.finditer(source.expression):
        yield f'"{match[0]}" means "{match[0][0]}": what follows the hyphen is ignored'


def _uneven_step(word: str, field: Field) -> Iterator[str]:
    match = _STEP.match(word)
    length = field.maximum + 1
    if match is None or "-" in word or not int(match[1]) or length % int(match[1]) == 0:
        return
    step, whole = int(match[1]), "hour" if field is MINUTE else "day"
    if step >= length:
        yield f'"{word}" means {field.name} 0 only: a step ends with the {whole}; use @every for longer delays'
    else:
        last = (length - 1) // step * step
        late = f"{length - last} {field.name}{'s' if length - last > 1 else ''} later"
        yield f'"{word}" starts anew every {whole}: after {field.name} {last} comes 0, {late}'


def _changes_of_clock(source: Source, zone: Zone, start: int) -> Iterator[str]:
    policy = source.policy
    for change in changes_between(zone, start, start + _A_YEAR):
        times = affected_times(source, change)
        if not times:
            continue
        on = date_of_day((change.instant + min(change.before, change.after)) // DAY).isoformat()
        first = clock(times[0] % DAY // 60)
        if change.after < change.before and (policy is None or policy.overlap is Overlap.BOTH):
            yield f"fires twice on {on}: {first} happens twice, clocks going back"
        elif change.after > change.before and (policy is None or policy.gap is Gap.SKIP):
            yield f"skips {first} on {on}: it does not exist, clocks going forward"


def _passed_over(source: Source, zone: Zone, start: int) -> Iterator[str]:
    if isinstance(source.ticks, NativeTicks):
        for tick in source.ticks.passed_over(start, start + _A_YEAR):
            on = datetime.fromtimestamp(tick + zone.offset(tick), UTC)
            yield (
                f"Kubernetes passes over {on:%Y-%m-%d %H:%M}, thrown off by a change of the clock; "
                "a daylightSaving policy in mode: Daemon prevents it"
            )
