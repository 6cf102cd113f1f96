"""How often a task runs, in words. Each method sets fields of one cron expression.

What a method says of the time of day replaces what was said of it before; what it says of the date likewise, except
that a limit to weekdays stays. Of `weekly().mondays().at("13:00")` remains Monday at 13:00.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from timewright.schedule.fluent import Changed, Fluent, refusal
from timewright.schedule.times_of_day import (
    Duration,
    TimeOfDay,
    Weekday,
    day_field,
    flat,
    read_days_of_month,
    read_hours,
    read_minutes,
    read_month,
    read_seconds,
    read_time,
    read_weekdays,
)
from timewright.timetable.errors import ScheduleError
from timewright.timetable.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from timewright.schedule.settings import Settings


class Frequencies(Fluent[Changed]):
    """How often."""

    __slots__ = ()

    def cron(self, *expressions: str) -> Changed:
        """Run at the ticks of one or several expressions: cron, `@daily`, `@every 90s`; see docs/schedules.md."""
        changed, settings = self._change()
        if not expressions or not all(isinstance(one, str) for one in expressions):
            raise refusal("cron", expressions, "is no expression", 'write one like cron("*/5 * * * *")')
        for one in expressions:
            problem = _problem_of(one)
            if problem is not None:
                raise refusal("cron", one, problem.problem, problem.remedy)
        settings.by_hand = False
        fields = expressions[0].split() if len(expressions) == 1 and not expressions[0].startswith("@") else []
        if len(fields) == 5:
            fields.insert(0, "0")
        if len(fields) != 6:
            settings.expressions = expressions
            return changed
        settings.expressions = ()
        settings.second, settings.minute, settings.hour = fields[:3]
        _date(settings, day_of_month=fields[3], month=fields[4], day_of_week=fields[5])
        if fields[5] not in ("*", "?"):
            settings.days = None
        return changed

    def every(self, interval: Duration) -> Changed:
        """Run again and again after whole seconds. Ticks lie on a grid that starts at `starts_at()`, or at 1970."""
        changed, settings = self._change()
        settings.by_hand = False
        settings.expressions = (f"@every {read_seconds('every', interval, minimum=1)}s",)
        return changed

    def only_by_hand(self) -> Changed:
        """Run at no time of its own, only by `run_now`."""
        changed, settings = self._change()
        settings.by_hand = True
        return changed

    def every_second(self) -> Changed:
        """Run every second."""
        return self._time_of_day("*", "*", "*")

    def every_two_seconds(self) -> Changed:
        """Run every two seconds."""
        return self._time_of_day("*/2", "*", "*")

    def every_five_seconds(self) -> Changed:
        """Run every five seconds."""
        return self._time_of_day("*/5", "*", "*")

    def every_ten_seconds(self) -> Changed:
        """Run every ten seconds."""
        return self._time_of_day("*/10", "*", "*")

    def every_fifteen_seconds(self) -> Changed:
        """Run every fifteen seconds."""
        return self._time_of_day("*/15", "*", "*")

    def every_twenty_seconds(self) -> Changed:
        """Run every twenty seconds."""
        return self._time_of_day("*/20", "*", "*")

    def every_thirty_seconds(self) -> Changed:
        """Run every thirty seconds."""
        return self._time_of_day("*/30", "*", "*")

    def every_minute(self) -> Changed:
        """Run every minute."""
        return self._time_of_day("0", "*", "*")

    def every_two_minutes(self) -> Changed:
        """Run every two minutes."""
        return self._time_of_day("0", "*/2", "*")

    def every_three_minutes(self) -> Changed:
        """Run every three minutes."""
        return self._time_of_day("0", "*/3", "*")

    def every_four_minutes(self) -> Changed:
        """Run every four minutes."""
        return self._time_of_day("0", "*/4", "*")

    def every_five_minutes(self) -> Changed:
        """Run every five minutes."""
        return self._time_of_day("0", "*/5", "*")

    def every_ten_minutes(self) -> Changed:
        """Run every ten minutes."""
        return self._time_of_day("0", "*/10", "*")

    def every_fifteen_minutes(self) -> Changed:
        """Run every fifteen minutes."""
        return self._time_of_day("0", "*/15", "*")

    def every_thirty_minutes(self) -> Changed:
        """Run every thirty minutes."""
        return self._time_of_day("0", "*/30", "*")

    def hourly(self) -> Changed:
        """Run every hour."""
        return self._time_of_day("0", "0", "*")

    def hourly_at(self, *minutes: int | str | Iterable[int | str]) -> Changed:
        """Run every hour at some minutes past it: `hourly_at(17)`, `hourly_at(15, 45)`."""
        return self._time_of_day("0", read_minutes("hourly_at", flat(minutes)), "*")

    def every_odd_hour(self, *minutes: int | str) -> Changed:
        """Run at 01:00, 03:00, … 23:00, or at some minutes past these."""
        return self._time_of_day("0", read_minutes("every_odd_hour", minutes or (0,)), "1-23/2")

    def every_two_hours(self, *minutes: int | str) -> Changed:
        """Run at 00:00, 02:00, … 22:00, or at some minutes past these."""
        return self._time_of_day("0", read_minutes("every_two_hours", minutes or (0,)), "*/2")

    def every_three_hours(self, *minutes: int | str) -> Changed:
        """Run at 00:00, 03:00, … 21:00, or at some minutes past these."""
        return self._time_of_day("0", read_minutes("every_three_hours", minutes or (0,)), "*/3")

    def every_four_hours(self, *minutes: int | str) -> Changed:
        """Run at 00:00, 04:00, … 20:00, or at some minutes past these."""
        return self._time_of_day("0", read_minutes("every_four_hours", minutes or (0,)), "*/4")

    def every_six_hours(self, *minutes: int | str) -> Changed:
        """Run at 00:00, 06:00, 12:00 and 18:00, or at some minutes past these."""
        return self._time_of_day("0", read_minutes("every_six_hours", minutes or (0,)), "*/6")

    def daily(self) -> Changed:
        """Run every day at midnight."""
        return self._time_of_day("0", "0", "0")

    def daily_at(self, time: TimeOfDay) -> Changed:
        """Run every day at a time: `daily_at("13:00")`."""
        return self._at("daily_at", time)[0]

    def at(self, time: TimeOfDay) -> Changed:
        """Run at a time on the days that are said elsewhere: `weekly().mondays().at("13:00")`."""
        return self._at("at", time)[0]

    def twice_daily(self, first: int = 1, second: int = 13) -> Changed:
        """Run every day at two full hours."""
        return self._time_of_day("0", "0", read_hours("twice_daily", (first, second)))

    def twice_daily_at(self, first: int = 1, second: int = 13, minute: int = 0) -> Changed:
        """Run every day at two hours, some minutes past them: `twice_daily_at(1, 13, 15)` for 01:15 and 13:15."""
        minutes = read_minutes("twice_daily_at", (minute,))
        return self._time_of_day("0", minutes, read_hours("twice_daily_at", (first, second)))

    def weekly(self) -> Changed:
        """Run every Sunday at midnight."""
        changed, settings = self._at("weekly", "0:00")
        _date(settings, day_of_week="0")
        return changed

    def weekly_on(self, days: Weekday | Iterable[Weekday], time: TimeOfDay = "0:00") -> Changed:
        """Run on a day of the week, or on several: `weekly_on("mon", "8:00")`."""
        bits = read_weekdays("weekly_on", flat((days,)))
        changed, settings = self._at("weekly_on", time)
        _date(settings, day_of_week=day_field(bits))
        settings.days = None
        return changed

    def monthly(self) -> Changed:
        """Run on the first day of every month at midnight."""
        return self.monthly_on(1)

    def monthly_on(self, day: int = 1, time: TimeOfDay = "0:00") -> Changed:
        """Run on a day of every month that has it: `monthly_on(4, "15:00")`."""
        changed, settings = self._at("monthly_on", time)
        _date(settings, day_of_month=read_days_of_month("monthly_on", (day,)))
        return changed

    def twice_monthly(self, first: int = 1, second: int = 16, time: TimeOfDay = "0:00") -> Changed:
        """Run on two days of every month: `twice_monthly(1, 16, "13:00")`."""
        changed, settings = self._at("twice_monthly", time)
        _date(settings, day_of_month=read_days_of_month("twice_monthly", (first, second)))
        return changed

    def last_day_of_month(self, time: TimeOfDay = "0:00") -> Changed:
        """Run on the last day of every month."""
        changed, settings = self._at("last_day_of_month", time)
        _date(settings, day_of_month="L")
        return changed

    def days_of_month(self, *days: int | Iterable[int]) -> Changed:
        """Run on some days of every month, at midnight unless `at()` says otherwise: `days_of_month(1, 10, 20)`."""
        changed, settings = self._at("days_of_month", "0:00")
        _date(settings, day_of_month=read_days_of_month("days_of_month", flat(days)))
        return changed

    def quarterly(self) -> Changed:
        """Run on the first day of January, April, July and October at midnight."""
        return self.quarterly_on(1)

    def quarterly_on(self, day: int = 1, time: TimeOfDay = "0:00") -> Changed:
        """Run on a day of January, April, July and October: `quarterly_on(4, "14:00")`."""
        changed, settings = self._at("quarterly_on", time)
        _date(settings, day_of_month=read_days_of_month("quarterly_on", (day,)), month="1-12/3")
        return changed

    def yearly(self) -> Changed:
        """Run on 1 January at midnight."""
        return self.yearly_on(1)

    def yearly_on(self, month: int = 1, day: int = 1, time: TimeOfDay = "0:00") -> Changed:
        """Run on a day of the year: `yearly_on(6, 1, "17:00")` for 1 June."""
        changed, settings = self._at("yearly_on", time)
        _date(
            settings,
            day_of_month=read_days_of_month("yearly_on", (day,)),
            month=read_month("yearly_on", month),
        )
        return changed

    def _time_of_day(self, second: str, minute: str, hour: str) -> Changed:
        changed, settings = self._change()
        settings.by_hand = False
        settings.expressions = ()
        settings.second, settings.minute, settings.hour = second, minute, hour
        return changed

    def _at(self, field: str, time: TimeOfDay) -> tuple[Changed, Settings]:
        seconds = read_time(field, time)
        changed, settings = self._change()
        settings.by_hand = False
        settings.expressions = ()
        settings.second = str(seconds % 60)
        settings.minute = str(seconds // 60 % 60)
        settings.hour = str(seconds // 3600)
        return changed, settings


@lru_cache(maxsize=1024)
def _problem_of(expression: str) -> ScheduleError | None:
    """Return what is wrong with an expression, which may be that of many tasks."""
    try:
        parse(expression, seed="")
    except ScheduleError as error:
        return error
    return None


def _date(settings: Settings, *, day_of_month: str = "*", month: str = "*", day_of_week: str = "*") -> None:
    settings.day_of_month, settings.month, settings.day_of_week = day_of_month, month, day_of_week
