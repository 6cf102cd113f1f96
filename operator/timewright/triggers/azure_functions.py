"""The door for Azure Functions: a timer of the Python v2 programming model runs a schedule.

`register` declares the timer in a FunctionApp; `run` is for a function that you declare yourself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from timewright.triggers.served_tasks import ServedTasks
from timewright.triggers.told import raise_for_summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.functions import FunctionApp, TimerRequest

    from timewright.engine.summary import Summary
    from timewright.schedule.schedule import Schedule

EVERY_MINUTE = "0 * * * * *"
EARLY = timedelta(seconds=2)
"""Timers are known to fire up to a second before their time."""

MARGIN_SECONDS = 5.0


def register(
    app: FunctionApp,
    schedule: Schedule | str,
    *,
    timer: str = EVERY_MINUTE,
    name: str = "timewright",
    timeout_seconds: float | None = None,
    raise_on_failure: bool = True,
) -> None:
    """Declare a timer that runs a schedule.

    Args:
        app: the application, as `function_app.py` makes it.
        schedule: what to run, or the `module:attribute` that names it.
        timer: when Azure wakes it, as an NCRONTAB expression.
        name: the name of the function.
        timeout_seconds: `functionTimeout` of `host.json`, so that runs are stopped and recorded before Azure ends them.
        raise_on_failure: raise when a run has failed or was cancelled, so that Azure counts a failure.

    Raises:
        LoadError: when there is no such schedule.
        DeclarationError: when a task cannot be declared as it is.

    """
    served = _served(schedule)

    async def timewright(timer: TimerRequest) -> None:
        await run(timer, served, timeout_seconds=timeout_seconds, raise_on_failure=raise_on_failure)

    # The worker reads the annotation as it is, and not as text.
    from azure.functions import TimerRequest as Request

    timewright.__annotations__["timer"] = Request
    declare: Callable[..., Any] = app.timer_trigger(
        arg_name="timer", schedule=timer, run_on_startup=False, use_monitor=True
    )
    app.function_name(name)(declare(timewright))


async def run(
    timer: TimerRequest,
    schedule: Schedule | str | ServedTasks,
    *,
    timeout_seconds: float | None = None,
    raise_on_failure: bool = True,
) -> list[Summary]:
    """Run what is due when a timer fires: for the minute that it was to fire at, and then for the present one.

    What was due in between is handled by the `missedRuns` of each task.

    Args:
        timer: what Azure hands to the function.
        schedule: what to run, or the `module:attribute` that names it.
        timeout_seconds: how long the function may take; None when nobody knows.
        raise_on_failure: raise RunsFailedError when a run has failed or was cancelled, and NotRecordedError when the
            store could not be used.

    """
    served = schedule if isinstance(schedule, ServedTasks) else _served(schedule)
    summaries = []
    started = datetime.now(UTC)
    for at in nominal_times(timer, started):
        left = None
        if timeout_seconds is not None:
            passed = (datetime.now(UTC) - started).total_seconds()
            left = max(0.0, timeout_seconds - min(MARGIN_SECONDS, timeout_seconds / 3) - passed)
        summaries.append(await served.run_due(at, deadline_seconds=left))
    if raise_on_failure:
        for summary in summaries:
            raise_for_summary(summary)
    return summaries


def nominal_times(timer: TimerRequest, now: datetime) -> list[datetime]:
    """Return the minutes to run for, in their order.

    While a function runs, the status of its timer tells in `Next` when that was to fire. It is in the past when the
    application was down or busy, and in the future by more than a moment when the timer was started by hand.
    """
    planned = _planned(timer)
    if planned is None or planned > now + EARLY:
        return [now]
    if planned >= now:
        return [planned]
    times = [planned, now]
    return times if _minute(planned) != _minute(now) else [planned]


def _planned(timer: TimerRequest) -> datetime | None:
    status = getattr(timer, "schedule_status", None) or {}
    text = status.get("Next") or status.get("next")
    try:
        planned = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if planned is None or planned.year == 1:
        return None
    return planned if planned.tzinfo else planned.replace(tzinfo=UTC)


def _minute(instant: datetime) -> int:
    return int(instant.timestamp()) // 60


def _served(schedule: Schedule | str) -> ServedTasks:
    return ServedTasks.of_app(schedule) if isinstance(schedule, str) else ServedTasks.of_schedule(schedule)
