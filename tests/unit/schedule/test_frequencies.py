"""What each word for how often says in cron."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from timewright import DeclarationError, Schedule
from timewright.schedule.declaration import Declaration


def nothing() -> None:
    pass


def timetable_of(declare: Callable[[Declaration], Any]) -> Any:
    schedule = Schedule("s")
    declare(schedule.call(nothing))
    (task,) = schedule.tasks()
    return task.timetable


def expressions_of(declare: Callable[[Declaration], Any]) -> tuple[str, ...]:
    found: tuple[str, ...] = timetable_of(declare).expressions
    return found


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda task: task, "* * * * *"),
        (lambda task: task.cron("5 4 * * sun"), "5 4 * * sun"),
        (lambda task: task.cron("30 5 4 * * ?"), "30 5 4 * * ?"),
        (lambda task: task.cron("@daily"), "@daily"),
        (lambda task: task.every(90), "@every 90s"),
        (lambda task: task.every(timedelta(minutes=7)), "@every 420s"),
        (lambda task: task.every_second(), "* * * * * *"),
        (lambda task: task.every_two_seconds(), "*/2 * * * * *"),
        (lambda task: task.every_five_seconds(), "*/5 * * * * *"),
        (lambda task: task.every_ten_seconds(), "*/10 * * * * *"),
        (lambda task: task.every_fifteen_seconds(), "*/15 * * * * *"),
        (lambda task: task.every_twenty_seconds(), "*/20 * * * * *"),
        (lambda task: task.every_thirty_seconds(), "*/30 * * * * *"),
        (lambda task: task.every_minute(), "* * * * *"),
        (lambda task: task.every_two_minutes(), "*/2 * * * *"),
        (lambda task: task.every_three_minutes(), "*/3 * * * *"),
        (lambda task: task.every_four_minutes(), "*/4 * * * *"),
        (lambda task: task.every_five_minutes(), "*/5 * * * *"),
        (lambda task: task.every_ten_minutes(), "*/10 * * * *"),
        (lambda task: task.every_fifteen_minutes(), "*/15 * * * *"),
        (lambda task: task.every_thirty_minutes(), "*/30 * * * *"),
        (lambda task: task.hourly(), "0 * * * *"),
        (lambda task: task.hourly_at(17), "17 * * * *"),
        (lambda task: task.hourly_at(15, 45), "15,45 * * * *"),
        (lambda task: task.hourly_at([15, "45"]), "15,45 * * * *"),
        (lambda task: task.every_odd_hour(), "0 1-23/2 * * *"),
        (lambda task: task.every_odd_hour(10), "10 1-23/2 * * *"),
        (lambda task: task.every_two_hours(), "0 */2 * * *"),
        (lambda task: task.every_three_hours(5), "5 */3 * * *"),
        (lambda task: task.every_four_hours(), "0 */4 * * *"),
        (lambda task: task.every_six_hours(15, 30), "15,30 */6 * * *"),
        (lambda task: task.daily(), "0 0 * * *"),
        (lambda task: task.daily_at("13:00"), "0 13 * * *"),
        (lambda task: task.daily_at("9"), "0 9 * * *"),
        (lambda task: task.daily_at(time(23, 59, 30)), "30 59 23 * * *"),
        (lambda task: task.at("2:05"), "5 2 * * *"),
        (lambda task: task.twice_daily(), "0 1,13 * * *"),
        (lambda task: task.twice_daily(2, 14), "0 2,14 * * *"),
        (lambda task: task.twice_daily_at(1, 13, 15), "15 1,13 * * *"),
        (lambda task: task.days_of_month(1, 10, 20), "0 0 1,10,20 * *"),
        (lambda task: task.days_of_month([1, 10]).at("4:00"), "0 4 1,10 * *"),
        (lambda task: task.weekly(), "0 0 * * 0"),
        (lambda task: task.weekly_on(1, "8:00"), "0 8 * * 1"),
        (lambda task: task.weekly_on(["mon", "Thursday"], "8:00"), "0 8 * * 1,4"),
        (lambda task: task.monthly(), "0 0 1 * *"),
        (lambda task: task.monthly_on(4, "15:00"), "0 15 4 * *"),
        (lambda task: task.twice_monthly(1, 16, "13:00"), "0 13 1,16 * *"),
        (lambda task: task.last_day_of_month("15:00"), "0 15 L * *"),
        (lambda task: task.quarterly(), "0 0 1 1-12/3 *"),
        (lambda task: task.quarterly_on(4, "14:00"), "0 14 4 1-12/3 *"),
        (lambda task: task.yearly(), "0 0 1 1 *"),
        (lambda task: task.yearly_on(6, 1, "17:00"), "0 17 1 6 *"),
        # One word after another: the time of day, the date and the weekday are said by the last that says them.
        (lambda task: task.weekly().mondays().at("13:00"), "0 13 * * 1"),
        (lambda task: task.weekdays().hourly(), "0 * * * 1-5"),
        (lambda task: task.hourly().days(0, 3), "0 * * * 0,3"),
        (lambda task: task.monthly().at("15:00"), "0 15 1 * *"),
        (lambda task: task.daily().every_five_minutes(), "*/5 * * * *"),
        (lambda task: task.monthly_on(4).weekly(), "0 0 * * 0"),
        (lambda task: task.weekly().monthly(), "0 0 1 * *"),
        (lambda task: task.weekdays().weekly_on("sat"), "0 0 * * 6"),
        (lambda task: task.cron("0 9 1 * *").at("10:00"), "0 10 1 * *"),
        (lambda task: task.cron("@daily").hourly(), "0 * * * *"),
        (lambda task: task.only_by_hand().daily(), "0 0 * * *"),
    ],
)
def test_a_frequency_is_an_expression(declare: Callable[[Declaration], Any], expected: str) -> None:
    assert expressions_of(declare) == (expected,)


def test_several_expressions_are_taken_together() -> None:
    timetable = timetable_of(lambda task: task.cron("0 9 * * *", "30 17 * * *").weekdays())

    ticks = list(timetable.between(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 5, 12, tzinfo=UTC)))

    assert [f"{tick:%a %H:%M}" for tick in ticks] == ["Fri 09:00", "Fri 17:30", "Mon 09:00"]


def test_the_last_day_of_the_month_is_that_of_each_month() -> None:
    timetable = timetable_of(lambda task: task.last_day_of_month())

    ticks = list(timetable.between(datetime(2027, 12, 31, 1, tzinfo=UTC), datetime(2028, 5, 1, tzinfo=UTC)))

    assert [f"{tick:%m-%d}" for tick in ticks] == ["01-31", "02-29", "03-31", "04-30"]


def test_an_interval_stays_on_its_grid_wherever_the_question_starts() -> None:
    timetable = timetable_of(lambda task: task.every(timedelta(minutes=7)).starts_at("2026-01-01T00:03:00+00:00"))

    after = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)

    assert timetable.next_after(after) == datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    assert timetable.next_after(after + timedelta(seconds=13)) == datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


def test_a_task_by_hand_has_no_timetable() -> None:
    assert timetable_of(lambda task: task.daily().only_by_hand()) is None


def test_a_spread_time_is_that_of_the_task() -> None:
    schedule = Schedule("shop")
    for name in ("a", "b", "c", "d"):
        schedule.call(nothing).cron("H H * * *").named(name)
    instant = datetime(2026, 1, 1, tzinfo=UTC)

    first = [task.timetable.next_after(instant) for task in schedule.tasks() if task.timetable]
    again = [task.timetable.next_after(instant) for task in schedule.tasks() if task.timetable]

    assert first == again
    assert len(set(first)) == 4


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda task: task.cron("61 * * * *"), "cron '61 * * * *' minute '61' is"),
        (lambda task: task.cron("0 0 31 2 *"), "never fires"),
        (lambda task: task.cron(), "cron () is no expression; write one like"),
        (lambda task: task.cron(5), "cron (5,) is no expression"),
        (lambda task: task.every(0), "every 0 does not fit; write seconds, 1 or more"),
        (lambda task: task.every(1.5), "every 1.5 has a fraction"),
        (lambda task: task.hourly_at(60), "hourly_at 60 does not fit; write a number from 0 to 59"),
        (lambda task: task.hourly_at(), "hourly_at () is empty"),
        (lambda task: task.daily_at("25:00"), "daily_at '25:00' is not a time of day; write one like \"13:00\""),
        (lambda task: task.daily_at("24:00"), "daily_at '24:00' is not a time of day"),
        (lambda task: task.daily_at(13), "daily_at 13 is not a time of day"),
        (lambda task: task.daily_at(time(1, tzinfo=UTC)), "has a time zone; leave it out"),
        (lambda task: task.twice_daily(1, 24), "twice_daily 24 does not fit; write a number from 0 to 23"),
        (lambda task: task.monthly_on(32), "monthly_on 32 does not fit; write a number from 1 to 31"),
        (lambda task: task.yearly_on(13), "yearly_on 13 does not fit; write a number from 1 to 12"),
        (lambda task: task.yearly_on(True), "yearly_on True does not fit"),
        (lambda task: task.weekly_on("sunnyday"), "weekly_on 'sunnyday' is no weekday; write days like"),
        (lambda task: task.weekly_on(8), "weekly_on 8 is no weekday"),
    ],
)
def test_what_is_wrong_is_told_where_it_is_said(declare: Callable[[Declaration], Any], says: str) -> None:
    task = Schedule("s").call(nothing)

    with pytest.raises(DeclarationError) as caught:
        declare(task)

    assert str(caught.value).startswith(f"{__file__}:")
    assert says in str(caught.value)
