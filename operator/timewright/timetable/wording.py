"""A schedule in plain English."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from timewright.timetable.calendars import Excluded
from timewright.timetable.days import (
    WORKDAYS,
    CronDays,
    ExtendedDays,
    LastDay,
    LastWeekday,
    LastWorkday,
    NearestWorkday,
    NthWeekday,
)
from timewright.timetable.every import Every
from timewright.timetable.fields import DAY_OF_MONTH, DAY_OF_WEEK, MONTH
from timewright.timetable.windows import EVERY_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from timewright.timetable.days import MonthlyRule
    from timewright.timetable.schedule import Schedule
    from timewright.timetable.source import Source
    from timewright.timetable.wallclock import WallClock
    from timewright.timetable.windows import Window

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_FIRST_HALF = ("January", "February", "March", "April", "May", "June")
_SECOND_HALF = ("July", "August", "September", "October", "November", "December")
MONTHS = ("", *_FIRST_HALF, *_SECOND_HALF)
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth")
_MOST_TIMES = 6
_HOUR_OF_MINUTES = (1 << 60) - 1


def sentence(schedule: Schedule) -> str:
    """Return one sentence that says when the schedule has ticks."""
    text = "; and ".join(_source(source) for source in schedule.sources)
    limits = schedule.limits
    if limits.windows:
        text += ", only " + listed([_window(window) for window in limits.windows], "or")
    if limits.calendars:
        text += f", except on days of {listed([calendar.name for calendar in limits.calendars])}"
        text += {
            Excluded.PREVIOUS_DAY: " (moved to the day before)",
            Excluded.NEXT_DAY: " (moved to the day after)",
        }.get(limits.excluded or Excluded.SKIP, "")
    if limits.start is not None:
        text += f", from {_moment(limits.start)}"
    if limits.end is not None:
        text += f", until {_moment(limits.end)}"
    text = text[0].upper() + text[1:]
    return f"{text} ({schedule.time_zone})."


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words as English does: ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def ordinal(number: int) -> str:
    """Return ``1st``, ``2nd``, ``23rd``, ``11th``."""
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def clock(minute_of_day: int) -> str:
    """Return ``HH:MM``."""
    return f"{minute_of_day // 60:02}:{minute_of_day % 60:02}"


def numbers(bits: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [number for number in range(bits.bit_length()) if bits >> number & 1]


def _source(source: Source) -> str:
    if isinstance(source.ticks, Every):
        anchor = source.ticks.anchor
        since = "the last tick" if anchor is None else _moment(anchor)
        return f"every {_duration(source.ticks.delay)}, counted from {since}"
    wallclock = source.wallclock
    assert wallclock is not None  # noqa: S101 - only @every has none
    return " ".join(filter(None, (_times(wallclock), _days(wallclock), _months(wallclock), _years(wallclock))))


def _times(wallclock: WallClock) -> str:
    of_day = numbers(wallclock.minutes_of_day)
    seconds = numbers(wallclock.seconds)
    if seconds == [0]:
        return _minutes(of_day)
    if len(seconds) == 60:
        return "every second" if len(of_day) == 1440 else f"every second of {_minutes(of_day)}"
    step = _step(seconds, 60)
    how = f"every {step} seconds" if step else f"at second {listed([str(second) for second in seconds])}"
    return how if len(of_day) == 1440 and step else f"{how} of {_minutes(of_day)}"


def _minutes(of_day: list[int]) -> str:
    step = _step(of_day, 1440)
    if len(of_day) == 1440:
        return "every minute"
    if step:
        return "every hour" if step == 60 else _every(step)
    if len(of_day) <= _MOST_TIMES:
        return f"at {listed([clock(time) for time in of_day])}"
    hours = sorted({time // 60 for time in of_day})
    minutes = sorted({time % 60 for time in of_day})
    if len(minutes) * len(hours) != len(of_day):
        return (
            f"at {', '.join(clock(time) for time in of_day[:_MOST_TIMES])} and {len(of_day) - _MOST_TIMES} more times"
        )
    step = _step(minutes, 60)
    how = _every(step) if step else f"at minute {listed([str(minute) for minute in minutes])}"
    if hours == list(range(24)):
        return f"{how} of every hour"
    if hours == list(range(hours[0], hours[-1] + 1)):
        return f"{how} from {clock(of_day[0])} to {clock(of_day[-1])}"
    return f"{how} of the hours {listed([str(hour) for hour in hours])}"


def _every(step: int) -> str:
    if step == 1:
        return "every minute"
    return f"every {step // 60} hours" if step % 60 == 0 else f"every {step} minutes"


def _step(values: list[int], length: int) -> int:
    """Return the even distance of values that begin at 0 and fill a length, or 0."""
    step = length // len(values)
    return step if len(values) > 1 and values == list(range(0, length, step)) and length % step == 0 else 0


def _days(wallclock: WallClock) -> str:
    rule = wallclock.day_rule
    if not isinstance(rule, (CronDays, ExtendedDays)):
        return ""
    rules: tuple[MonthlyRule, ...] = rule.month_rules if isinstance(rule, ExtendedDays) else ()
    weekday_rules: tuple[MonthlyRule, ...] = rule.weekday_rules if isinstance(rule, ExtendedDays) else ()
    by_number = _by_number(rule.day_of_month_bits, rules)
    by_weekday = _by_weekday(rule.weekday_bits, weekday_rules)
    if not rule.both:
        return f"on {listed([text for text in (by_number, by_weekday) if text], 'or on')}"
    everything = rule.day_of_month_bits == DAY_OF_MONTH.everything
    text = by_weekday if everything else by_number
    if everything and rule.weekday_bits == DAY_OF_WEEK.everything:
        return "" if _all_day(wallclock.minutes_of_day) else "every day"
    return f"on {text}"


def _by_number(bits: int, rules: Iterable[MonthlyRule]) -> str:
    words = [f"the {_ranges([ordinal(day) for day in numbers(bits)], numbers(bits))}"] if bits else []
    return listed([*words, *map(_rule, rules)], "or") if bits or rules else ""


def _by_weekday(bits: int, rules: Iterable[MonthlyRule]) -> str:
    names = {
        WORKDAYS: "weekdays",
        EVERY_DAY & ~WORKDAYS: "weekends",
        EVERY_DAY: "every weekday from Sunday to Saturday",
    }
    words = [names.get(bits) or _ranges([WEEKDAYS[day] for day in numbers(bits)], numbers(bits))] if bits else []
    return listed([*words, *map(_rule, rules)], "or") if bits or rules else ""


def _rule(rule: MonthlyRule) -> str:
    match rule:
        case LastDay(before=0):
            return "the last day of the month"
        case LastDay(before=before):
            return f"the {ordinal(before + 1)} to last day of the month"
        case LastWorkday():
            return "the last weekday of the month"
        case NearestWorkday(day=day):
            return f"the weekday nearest the {ordinal(day)}"
        case NthWeekday(weekday=weekday, ordinal=which):
            return f"the {_ORDINALS[which]} {WEEKDAYS[weekday]}"
        case LastWeekday(weekday=weekday):
            return f"the last {WEEKDAYS[weekday]}"
    return "a day of its own rule"


def _all_day(minutes_of_day: int) -> bool:
    """Tell whether every hour is meant, or hours at an even distance: then days need no mention."""
    hours = [hour for hour in range(24) if minutes_of_day >> (60 * hour) & _HOUR_OF_MINUTES]
    return len(hours) == 24 or bool(_step(numbers(minutes_of_day), 1440))


def _months(wallclock: WallClock) -> str:
    if wallclock.months == MONTH.everything:
        return ""
    chosen = numbers(wallclock.months)
    return f"in {_ranges([MONTHS[month] for month in chosen], chosen)}"


def _years(wallclock: WallClock) -> str:
    if wallclock.years is None:
        return ""
    return f"in {_ranges([str(year) for year in wallclock.years], wallclock.years)}"


def _ranges(words: Sequence[str], values: Sequence[int]) -> str:
    """List words, three and more neighbours as ``first to last``."""
    parts: list[str] = []
    begin = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[index - 1] + 1:
            run = words[begin:index]
            parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else run
            begin = index
    return listed(parts)


def _window(window: Window) -> str:
    text = f"between {clock(window.start // 60)} and {clock(window.end // 60)}"
    if window.weekdays != EVERY_DAY:
        text += f" on {_by_weekday(window.weekdays, ())}"
    return f"not {text}" if window.negated else text


def _duration(seconds: int) -> str:
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
    parts: list[str] = []
    for unit, length in units:
        amount, seconds = divmod(seconds, length)
        if amount:
            parts.append(f"{amount} {unit}s" if amount > 1 else f"1 {unit}" if parts or seconds else unit)
    return listed(parts)


def _moment(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S} UTC"
