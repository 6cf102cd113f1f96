"""The door for AWS Lambda. `timewright.triggers.aws_lambda.handler` runs the schedule that TIMEWRIGHT_APP names.

A handler takes the events that `triggers.event` reads, from EventBridge Scheduler, a rule of EventBridge, or a plain
invocation. Lambda may deliver one twice: what is due is claimed in the store once, and a run by hand has the event's id
as its idempotency key unless the event brings another.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from timewright.engine.by_hand import Request
from timewright.runner.live_output import LIVE
from timewright.schedule.errors import LoadError
from timewright.triggers.event import parse_event
from timewright.triggers.run_to_end import run_to_end
from timewright.triggers.served_tasks import ServedTasks
from timewright.triggers.told import raise_for_record, raise_for_summary, record_document, summary_document

if TYPE_CHECKING:
    from timewright.schedule.schedule import Schedule
    from timewright.triggers.event import Event, RunNow

APP = "TIMEWRIGHT_APP"
RAISES = "TIMEWRIGHT_LAMBDA_RAISES"
MARGIN_SECONDS = 5.0
"""How long before Lambda would end it an invocation is over: what is left to record and to answer takes some time."""

_FLUSH_SECONDS = 1.0

Handler = Callable[[Any, Any], dict[str, Any]]


def make_handler(
    schedule: Schedule | str, *, margin_seconds: float = MARGIN_SECONDS, raise_on_failure: bool = True
) -> Handler:
    """Return a handler for a schedule, or for the one that `module:attribute` names.

    Args:
        schedule: what to run.
        margin_seconds: how long before Lambda's time-out all runs are over. A run that is not is stopped then, and
            recorded as Failed, TimedOut; of a short time-out no more than a third is kept free.
        raise_on_failure: raise when a run has failed, was cancelled or lost, so that Lambda counts an error. It then
            delivers the event again, which runs nothing twice.

    Returns:
        The handler. It returns the summary of what ran, as `schedule:run -o json` prints it, or the TaskRun of a run by
        hand. It raises RunsFailedError; NotRecordedError when the store could not be used; EventError for an event that
        it does not know; NoSuchTaskError and InvalidParametersError for a run by hand.

    Raises:
        LoadError: when there is no such schedule.
        DeclarationError: when a task cannot be declared as it is.

    """
    tasks = ServedTasks.of_app(schedule) if isinstance(schedule, str) else ServedTasks.of_schedule(schedule)

    def handler(event: Any, context: Any) -> dict[str, Any]:
        called = parse_event(event)
        seconds = _seconds_left(context, margin_seconds)
        try:
            if called.run_now is not None:
                return run_to_end(_run_now(tasks, called, called.run_now, context, seconds, raise_on_failure))
            return run_to_end(_run_due(tasks, called, seconds, raise_on_failure))
        finally:
            # Between two events Lambda stops the whole process, and the thread that writes what tasks print with it.
            LIVE.flush(_FLUSH_SECONDS)

    return handler


async def _run_due(tasks: ServedTasks, event: Event, seconds: float | None, raises: bool) -> dict[str, Any]:
    summary = await tasks.run_due(event.at, deadline_seconds=seconds)
    if raises:
        raise_for_summary(summary)
    return summary_document(summary)


async def _run_now(
    tasks: ServedTasks, event: Event, run_now: RunNow, context: Any, seconds: float | None, raises: bool
) -> dict[str, Any]:
    # Lambda's own retries of an asynchronous invocation keep its request id.
    key = run_now.idempotency_key or event.id or getattr(context, "aws_request_id", None)
    request = Request(run_now.parameters, key, run_now.override)
    record = await tasks.run_now(run_now.name, request, deadline_seconds=seconds)
    if raises:
        raise_for_record(record)
    return record_document(record)


def _seconds_left(context: Any, margin: float) -> float | None:
    """Return how long runs may take; None where nobody says."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None:
        return None
    seconds = float(remaining()) / 1000
    return max(0.0, seconds - min(margin, seconds / 3))


def _handler_of_environment() -> Handler:
    reference = os.environ.get(APP)
    if not reference:
        raise LoadError(f"the environment variable {APP} is not set; expected module:attribute of the schedule")
    raises = os.environ.get(RAISES, "true").lower()
    if raises not in ("true", "false"):
        raise LoadError(f"the environment variable {RAISES} is {raises!r}; expected true or false")
    return make_handler(reference, raise_on_failure=raises == "true")


def __getattr__(name: str) -> Any:
    """Make `handler` when Lambda asks for it, once for each container: the application is loaded while it starts."""
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()["handler"] = _handler_of_environment()
    return made
