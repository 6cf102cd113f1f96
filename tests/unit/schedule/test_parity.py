"""What `docs/parity.md` promises exists, and it leaves out nothing of Laravel's and Goravel's."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from timewright import Schedule
from timewright.cli.schedule_commands import COMMANDS
from timewright.timetable.calendars import Dates

PAGE = Path(__file__).parents[3] / "docs" / "parity.md"

# Of the page on task scheduling: frequencies, constraints and everything else, in its order; then what only the source
# has. https://github.com/laravel/docs/blob/13.x/scheduling.md
LARAVEL = """
    call command exec job cron everySecond everyTwoSeconds everyFiveSeconds everyTenSeconds everyFifteenSeconds
    everyTwentySeconds everyThirtySeconds everyMinute everyTwoMinutes everyThreeMinutes everyFourMinutes
    everyFiveMinutes everyTenMinutes everyFifteenMinutes everyThirtyMinutes hourly hourlyAt everyOddHour
    everyTwoHours everyThreeHours everyFourHours everySixHours daily dailyAt twiceDaily twiceDailyAt daysOfMonth
    weekly weeklyOn monthly monthlyOn twiceMonthly lastDayOfMonth quarterly quarterlyOn yearly yearlyOn timezone
    weekdays weekends sundays mondays tuesdays wednesdays thursdays fridays saturdays days between unlessBetween
    when environments skip at withoutOverlapping onOneServer useCache name runInBackground evenInMaintenanceMode
    evenWhenPaused group sendOutputTo appendOutputTo emailOutputTo emailOutputOnFailure before after onSuccess
    onFailure pingBefore thenPing pingOnSuccess pingOnFailure pingBeforeIf thenPingIf pingOnSuccessIf
    pingOnFailureIf ScheduledTaskStarting ScheduledTaskFinished ScheduledBackgroundTaskFinished ScheduledTaskSkipped
    ScheduledTaskFailed schedule:run schedule:work schedule:list schedule:interrupt schedule:pause schedule:continue
    schedule:clear-cache schedule:test schedule:finish user description withAttributes then thenWithOutput
    onSuccessWithOutput onFailureWithOutput storeOutput emailWrittenOutputTo preventOverlapsUsing
    createMutexNameUsing mutexName nextRunDate getExpression getSummaryForDisplay
"""
# https://github.com/goravel/framework/blob/master/contracts/schedule
GORAVEL = """
    At Cron Daily DailyAt TwiceDaily DelayIfStillRunning EverySecond EveryTwoSeconds EveryFiveSeconds
    EveryTenSeconds EveryFifteenSeconds EveryTwentySeconds EveryThirtySeconds EveryMinute EveryTwoMinutes
    EveryThreeMinutes EveryFourMinutes EveryFiveMinutes EveryTenMinutes EveryFifteenMinutes EveryThirtyMinutes
    EveryTwoHours EveryThreeHours EveryFourHours EverySixHours GetCron GetCommand GetCallback GetName
    GetSkipIfStillRunning GetDelayIfStillRunning Hourly HourlyAt Days Weekdays Weekends Mondays Tuesdays Wednesdays
    Thursdays Fridays Saturdays Sundays Weekly Monthly Quarterly Yearly IsOnOneServer Name OnOneServer
    SkipIfStillRunning Call Command Events Register Run Shutdown
"""


class Row(NamedTuple):
    """A line of a table."""

    laravel: str
    goravel: str
    here: str


def rows() -> Iterator[Row]:
    for line in PAGE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| Laravel"):
            laravel, goravel, here = re.split(r"(?<!\\)\|", line)[1:-1]
            yield Row(laravel, goravel, here.replace("\\|", "|"))


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


ROWS = list(rows())
HERE = sorted({span for row in ROWS for span in spans(row.here)})


def names_in(texts: list[str]) -> set[str]:
    return {span.partition("(")[0] for text in texts for span in spans(text)} | {
        name for text in texts for name in re.findall(r"Artisan::(\w+)", text)
    }


def test_every_method_of_laravel_is_there() -> None:
    assert set(LARAVEL.split()) - names_in([row.laravel for row in ROWS]) == set()


def test_every_method_of_goravel_is_there() -> None:
    assert set(GORAVEL.split()) - names_in([row.goravel for row in ROWS]) == set()


@pytest.mark.parametrize("span", HERE)
def test_what_is_named_exists(span: str) -> None:
    schedule = Schedule("shop")

    def function() -> None:
        pass

    names = {
        "Schedule": Schedule,
        "schedule": schedule,
        "task": schedule.call(function),
        "function": function,
        "timedelta": timedelta,
        "calendar": Dates([]),
        "condition": True,
        "url": "https://example.com",
        "path": "output.log",
        "arguments": (),
    }
    command = re.fullmatch(r"(?:timewright )?(schedule:\w+)", span)
    if command:
        assert command[1] in COMMANDS
    elif span.startswith(("schedule.", "with schedule.", "@schedule.")):
        for name in re.findall(r"\.(\w+)\(", span):
            assert hasattr(schedule, name)
    elif span.startswith("Schedule("):
        eval(span.replace("=…", "=None"), names)
    elif span == "call(heartbeat.delay)":
        assert callable(schedule.call)
    elif span.startswith(("call(", "command(", "shell(", "http(")):
        eval(f"schedule.{span}", names)
    elif span.startswith("group("):
        schedule.daily().group(function)
    else:
        eval(f"task.{span}", names)
