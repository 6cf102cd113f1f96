"""A tour of schedules in Python. In this folder: `timewright schedule:work --app tour`.

It leaves nothing behind but the records of its runs: `timewright schedule:history --app tour`.
"""

import asyncio
import datetime
import random

from timewright import FinishedRun, Schedule, current_run

schedule = Schedule("tour", time_zone="Europe/Berlin")


@schedule.every_ten_seconds()
async def heartbeat() -> None:
    """Coroutines share one event loop."""
    run = current_run()
    assert run is not None
    print(f"alive at {run.scheduled_at:%H:%M:%S}, the nominal time")


@schedule.every_fifteen_seconds().without_overlapping()
async def slow_sync() -> None:
    """Takes longer than its interval: the ticks meanwhile are Skipped, with reason Overlap."""
    await asyncio.sleep(20)
    print("synced")


@schedule.every_thirty_seconds().retry(2, backoff=1)
def flaky() -> None:
    """Functions that are not async run in threads. One that fails is tried again, and keeps its nominal time."""
    if random.random() < 0.5:
        raise ConnectionError("the service did not answer")
    print("the service answered")


@schedule.daily_at("13:00")
def import_orders(since: str = "yesterday") -> None:
    """By hand: `timewright schedule:run-now import_orders -p since=2026-11-01 --app tour`."""
    print(f"importing orders since {since}")


def is_daytime() -> bool:
    return 8 <= datetime.datetime.now().astimezone().hour < 20


def complain(run: FinishedRun) -> None:
    print(f"{run.task} ended as {run.outcome} ({run.reason}): {run.message}")


with schedule.every_minute().on_failure(complain):
    schedule.command("echo a command, without a shell").named("command")
    schedule.shell("echo a pipe | tr a-z A-Z").named("pipe")
    schedule.shell("echo going to hang; sleep 600").timeout(5).named("hangs")
    schedule.call(print, "good day").when(is_daytime).named("greet")

schedule.command("echo the month is over").last_day_of_month("23:30").named("close_books")
schedule.command("echo a working day").weekdays().between("9:00", "17:00").hourly().named("working_hours")
