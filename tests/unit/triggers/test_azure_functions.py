"""The Azure Functions timer, with Azure's own types and the JSON that its host hands over."""

import inspect
import json
import typing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest
from azure.functions.meta import Datum
from azure.functions.timer import TimerRequestConverter

from timewright import Schedule
from timewright.triggers.azure_functions import nominal_times, register, run
from timewright.triggers.told import NotRecordedError, RunsFailedError

NOW = datetime(2026, 3, 8, 4, 0, 30, tzinfo=UTC)


def timer(status: dict[str, str] | None, *, past_due: bool = False) -> func.TimerRequest:
    """Return what the worker makes of the host's JSON."""
    told = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due}
    decoded = TimerRequestConverter.decode(Datum(json.dumps(told), "json"), trigger_metadata=None)
    assert isinstance(decoded, func.TimerRequest)
    return decoded


def planned(instant: datetime | str, *, past_due: bool = False) -> func.TimerRequest:
    """Return a timer that was to fire at an instant: while a function runs, that is its status' `Next`."""
    text = instant if isinstance(instant, str) else instant.isoformat()
    before = "2026-03-08T03:59:00.0123456+00:00"
    return timer({"Last": before, "Next": text, "LastUpdated": before}, past_due=past_due)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (planned("2026-03-08T04:00:00+00:00"), ["04:00:00"]),
        (planned("2026-03-08T05:00:00+01:00"), ["04:00:00"]),
        (planned("2026-03-08T04:00:00"), ["04:00:00"]),
        # A moment early: it is the minute to come that is meant.
        (planned("2026-03-08T04:00:31.5000000+00:00"), ["04:00:31"]),
        # Late: the minute that was missed, and the present one.
        (planned("2026-03-08T03:58:00+00:00"), ["03:58:00", "04:00:30"]),
        (planned("2026-03-07T22:00:00+00:00", past_due=True), ["22:00:00", "04:00:30"]),
        # Started by hand, or at start-up: the next time is none of this call's business.
        (planned("2026-03-08T04:01:00+00:00"), ["04:00:30"]),
        (timer(None), ["04:00:30"]),
        (planned("0001-01-01T00:00:00+00:00"), ["04:00:30"]),
        (planned("soon"), ["04:00:30"]),
    ],
)
def test_nominal_times(request_: func.TimerRequest, expected: list[str]) -> None:
    times = nominal_times(request_, NOW)
    assert [f"{each.astimezone(UTC):%H:%M:%S}" for each in times] == expected


async def test_run(schedule: Schedule, ran: list[str]) -> None:
    now = datetime.now(UTC)
    at = now.replace(second=0, microsecond=0)
    summary = (await run(planned(at), schedule))[0]
    assert summary.at == at.timestamp()
    assert ran[0] == f"sync {at:%H:%M} since yesterday"
    assert (await run(planned(at), schedule))[0].runs == []


async def test_a_timer_that_is_past_due(schedule: Schedule, ran: list[str]) -> None:
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=7)
    summaries = await run(planned(at, past_due=True), schedule)
    assert summaries[0].at == at.timestamp()
    assert summaries[1].at >= at.timestamp() + 7 * 60
    syncs = [each for each in ran if each.startswith("sync")]
    assert syncs[0] == f"sync {at:%H:%M} since yesterday"
    assert len(syncs) == 2
    # What was due in between is left to the task's missedRuns, which here has it recorded.
    assert summaries[1].outcomes()["Missed"] >= 6


@pytest.fixture
def declared(schedule: Schedule) -> Callable[..., Any]:
    """Return the function that a FunctionApp has after `register`."""

    def declare(**options: Any) -> tuple[Any, dict[str, Any]]:
        app = func.FunctionApp()
        register(app, schedule, **options)
        (function,) = app.get_functions()
        return function, json.loads(str(function))

    return declare


async def test_register(declared: Callable[..., Any], ran: list[str]) -> None:
    function, told = declared()
    assert function.get_function_name() == "timewright"
    (binding,) = told["bindings"]
    assert binding["type"] == "timerTrigger"
    assert (binding["name"], binding["schedule"]) == ("timer", "0 * * * * *")
    assert (binding["runOnStartup"], binding["useMonitor"]) == (False, True)

    # What the worker looks at before it calls a function.
    user_function = function.get_user_function()
    assert inspect.iscoroutinefunction(user_function)
    assert list(inspect.signature(user_function).parameters) == ["timer"]
    hints = typing.get_type_hints(user_function)
    assert TimerRequestConverter.check_input_type_annotation(hints["timer"])

    at = datetime.now(UTC).replace(second=0, microsecond=0)
    assert await user_function(timer=planned(at)) is None
    assert ran[0] == f"sync {at:%H:%M} since yesterday"


def test_register_takes_names_and_timers(declared: Callable[..., Any]) -> None:
    function, told = declared(name="shop-tasks", timer="0 */5 * * * *")
    assert function.get_function_name() == "shop-tasks"
    assert told["bindings"][0]["schedule"] == "0 */5 * * * *"


def test_two_schedules_in_one_app(schedule: Schedule) -> None:
    app = func.FunctionApp()
    register(app, schedule)
    register(app, Schedule("billing"), name="billing")
    assert [each.get_function_name() for each in app.get_functions()] == ["timewright", "billing"]


async def test_failures_are_azure_s_to_count(minute: datetime) -> None:
    schedule = Schedule("shop")
    schedule.command(["sh", "-c", "exit 3"]).every_minute().named("broken")
    at = datetime.now(UTC)
    with pytest.raises(RunsFailedError, match="broken"):
        await run(planned(at), schedule)
    summaries = await run(planned(at + timedelta(seconds=1)), schedule, raise_on_failure=False)
    assert all(summary.trouble == [] for summary in summaries)


async def test_trouble_with_the_store(schedule: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEWRIGHT_STORE", "sqlite:///proc/none/state.db")
    with pytest.raises(NotRecordedError, match="/proc/none"):
        await run(timer(None), schedule)


async def test_a_run_is_stopped_before_azure_ends_the_function() -> None:
    schedule = Schedule("shop")
    schedule.command("sleep 600").every_minute().named("long")
    with pytest.raises(RunsFailedError, match="TimedOut"):
        await run(timer(None), schedule, timeout_seconds=2.0)
