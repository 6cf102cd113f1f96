"""Sets of minutes, hours, days and months → the text of a native cron expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.days import CronDays, ExtendedDays, weekday_days
from timewright.timetable.fields import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timewright.timetable.days import DayRule
    from timewright.timetable.wallclock import WallClock

_HOUR_OF_MINUTES = (1 << 60) - 1
_LONGEST_MONTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class DayFields(NamedTuple):
    """The two day fields of a native expression as bits, ``None`` being ``*``; two given ones match as either."""

    days_of_month: int | None
    weekdays: int | None
    exact: bool = True


ANY_DAY = DayFields(None, None)


def native_days(rule: DayRule, months: int) -> DayFields:
    """Return the day fields that hold every day of a rule and as few others as possible."""
    if isinstance(rule, ExtendedDays) and not rule.month_rules and not rule.weekday_rules:
        rule = CronDays(rule.day_of_month_bits, rule.weekday_bits, rule.both)
    if isinstance(rule, CronDays):
        return _as_written(rule)
    candidates = [DayFields(_numbers(rule, months), None), DayFields(None, _weekdays(rule, months))]
    if isinstance(rule, ExtendedDays) and not rule.both:
        by_number = rule._replace(weekday_bits=0, weekday_rules=())
        by_weekday = rule._replace(day_of_month_bits=0, month_rules=())
        candidates.append(DayFields(_numbers(by_number, months), _weekdays(by_weekday, months)))
    best = min(candidates, key=lambda fields: _days_a_year(_rule_of(fields), months))
    exact = all(
        rule.days(*shape) == _rule_of(best).days(*shape) for month in _months(months) for shape in _shapes(month)
    )
    if best == DayFields(DAY_OF_MONTH.everything, None) or best == DayFields(None, DAY_OF_WEEK.everything):
        best = ANY_DAY
    return best._replace(exact=exact)


def expressions_of(minutes_of_day: int, months: int, days: DayFields) -> tuple[str, ...]:
    """Return one expression for each set of minutes that hours have in common."""
    hours_by_minutes: dict[int, int] = {}
    for hour in range(24):
        minutes = minutes_of_day >> (60 * hour) & _HOUR_OF_MINUTES
        if minutes:
            hours_by_minutes[minutes] = hours_by_minutes.get(minutes, 0) | 1 << hour
    return tuple(expression(minutes, hours, months, days) for minutes, hours in hours_by_minutes.items())


def expression(minutes: int, hours: int, months: int, days: DayFields) -> str:
    """Return the expression of four sets of bits."""
    day_of_month = "*" if days.days_of_month is None else _listed(days.days_of_month)
    weekday = "*" if days.weekdays is None else _listed(days.weekdays)
    return f"{_written(minutes, MINUTE)} {_written(hours, HOUR)} {day_of_month} {_written(months, MONTH)} {weekday}"


def have_common_times(one: WallClock, other: WallClock) -> bool:
    """Tell whether two sets of wall-clock times share any, years left aside."""
    months = one.months & other.months
    return bool(one.minutes_of_day & other.minutes_of_day and one.seconds & other.seconds) and any(
        one.day_rule.days(*shape) & other.day_rule.days(*shape) for month in _months(months) for shape in _shapes(month)
    )


def _as_written(rule: CronDays) -> DayFields:
    # A restricted field is listed in full, never as a star: a star would turn "either day" into "both".
    numbers = None if rule.both and rule.day_of_month_bits == DAY_OF_MONTH.everything else rule.day_of_month_bits
    weekdays = None if rule.both and rule.weekday_bits == DAY_OF_WEEK.everything else rule.weekday_bits
    return DayFields(numbers, weekdays)


def _rule_of(fields: DayFields) -> CronDays:
    numbers = DAY_OF_MONTH.everything if fields.days_of_month is None else fields.days_of_month
    weekdays = DAY_OF_WEEK.everything if fields.weekdays is None else fields.weekdays
    return CronDays(numbers, weekdays, both=fields.days_of_month is None or fields.weekdays is None)


def _numbers(rule: DayRule, months: int) -> int:
    bits = 0
    for month in _months(months):
        for shape in _shapes(month):
            bits |= rule.days(*shape) << 1
    return bits


def _weekdays(rule: DayRule, months: int) -> int:
    return sum(
        1 << weekday
        for weekday in range(7)
        if any(
            rule.days(*shape) & weekday_days(1 << weekday, *shape)
            for month in _months(months)
            for shape in _shapes(month)
        )
    )


def _days_a_year(rule: DayRule, months: int) -> int:
    return sum(rule.days(*shape).bit_count() for month in _months(months) for shape in _shapes(month))


def _months(bits: int) -> Iterator[int]:
    return (month for month in range(1, 13) if bits >> month & 1)


def _shapes(month: int) -> list[tuple[int, int]]:
    longest = _LONGEST_MONTHS[month]
    lengths = (28, 29) if month == 2 else (longest,)
    return [(weekday, length) for weekday in range(7) for length in lengths]


def _written(bits: int, field: Field) -> str:
    if bits == field.everything:
        return "*"
    numbers = [number for number in range(field.minimum, field.maximum + 1) if bits >> number & 1]
    if len(numbers) > 2:
        step = numbers[1] - numbers[0]
        if step > 1 and numbers == list(range(numbers[0], field.maximum + 1, step)):
            return f"{'*' if numbers[0] == field.minimum else numbers[0]}/{step}"
    return _listed(bits)


def _listed(bits: int) -> str:
    """Write numbers as a list, three and more in a row as a range."""
    parts: list[str] = []
    number = 0
    while bits >> number:
        if bits >> number & 1:
            end = number
            while bits >> (end + 1) & 1:
                end += 1
            if end - number < 2:
                parts += map(str, range(number, end + 1))
            else:
                parts.append(f"{number}-{end}")
            number = end
        number += 1
    return ",".join(parts)
