"""The Lambda handler, called as Lambda calls it: without an event loop, with an event and a context."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.unit.runner.harness import SOURCE
from tests.unit.triggers.conftest import rfc3339
from tests.unit.triggers.test_event import RULE, SCHEDULER
from timewright import Schedule
from timewright.engine.by_hand import InvalidParametersError
from timewright.schedule.errors import LoadError
from timewright.triggers.aws_lambda import make_handler
from timewright.triggers.event import EventError
from timewright.triggers.served_tasks import NoSuchTaskError, UntimelyError
from timewright.triggers.told import NotRecordedError, RunsFailedError


@dataclass
class Context:
    """What a handler may use of Lambda's context object."""

    seconds: float = 60.0
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    begun: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self.seconds - (time.monotonic() - self.begun)))


@pytest.mark.parametrize("event", [RULE, SCHEDULER, {}])
def test_the_nominal_time_is_the_event_s(
    event: dict[str, Any], schedule: Schedule, ran: list[str], minute: datetime
) -> None:
    event = {**event, "time": rfc3339(minute + timedelta(seconds=43))}
    told = make_handler(schedule)(event, Context())
    assert told["scheduledAt"] == rfc3339(minute)
    assert (told["outcomes"], told["exitCode"]) == ({"Succeeded": 1}, 0)
    assert told["runs"][0]["status"]["output"] == "synced\n"
    assert ran == [f"sync {minute:%H:%M} since yesterday"]


def test_an_event_that_is_delivered_twice_runs_nothing_twice(
    schedule: Schedule, ran: list[str], minute: datetime
) -> None:
    event = {**RULE, "time": rfc3339(minute)}
    handler = make_handler(schedule)
    assert len(handler(event, Context())["runs"]) == 1
    assert handler(event, Context())["runs"] == []
    assert make_handler(schedule)(event, Context())["runs"] == []
    assert len(ran) == 1


def test_a_plain_invocation_runs_the_present_minute(schedule: Schedule, ran: list[str]) -> None:
    before = datetime.now(UTC)
    told = make_handler(schedule)({}, None)
    at = datetime.fromisoformat(told["scheduledAt"])
    assert before - timedelta(minutes=1) < at <= datetime.now(UTC)
    assert ran[0] == f"sync {at:%H:%M} since yesterday"


def test_an_event_from_the_future_decides_on_nothing(schedule: Schedule, ran: list[str]) -> None:
    event = {"at": rfc3339(datetime.now(UTC) + timedelta(minutes=10))}
    with pytest.raises(UntimelyError, match="has not come"):
        make_handler(schedule)(event, Context())
    assert ran == []


def test_run_now(schedule: Schedule, ran: list[str]) -> None:
    event = {"runNow": {"name": "sync", "parameters": {"since": "march"}, "idempotencyKey": "first"}}
    handler = make_handler(schedule)
    told = handler(event, Context())
    assert told["kind"] == "TaskRun"
    assert (told["spec"]["trigger"], told["spec"]["idempotencyKey"]) == ("Manual", "first")
    assert told["status"]["outcome"] == "Succeeded"
    assert handler(event, Context())["metadata"] == told["metadata"]
    assert [each.partition(" since ")[2] for each in ran] == ["march"]


def test_run_now_is_keyed_by_the_event_or_else_by_the_request(schedule: Schedule, ran: list[str]) -> None:
    handler = make_handler(schedule)
    first, second = Context(), Context()
    for context in (first, first, second):
        handler({"runNow": {"name": "report"}}, context)
    assert len(ran) == 2
    for context in (Context(), Context()):
        handler({**RULE, "detail": {"runNow": {"name": "report"}}}, context)
    assert len(ran) == 3


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"runNow": {"name": "nothing"}}, NoSuchTaskError),
        ({"runNow": {"name": "report", "parameters": {"x": 1}}}, InvalidParametersError),
        ({"Records": [{"body": "{}"}]}, EventError),
    ],
)
def test_what_cannot_be_run_is_an_error(
    schedule: Schedule, ran: list[str], event: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        make_handler(schedule)(event, Context())
    assert ran == []


def test_a_failed_task_is_an_error_unless_that_is_not_wanted(minute: datetime, ran: list[str]) -> None:
    schedule = Schedule("shop")

    @schedule.task("* * * * *")
    def broken() -> None:
        ran.append("broken")
        raise ValueError("no stock")

    event = {"time": rfc3339(minute)}
    with pytest.raises(
        RunsFailedError, match=r"1 of 1 runs did not succeed: broken-\d+ Failed \(Exception\): .*no stock"
    ):
        make_handler(schedule)(event, Context())
    # Lambda's retry then finds that the minute is done.
    assert make_handler(schedule)(event, Context())["exitCode"] == 0
    assert ran == ["broken"]

    with pytest.raises(RunsFailedError, match="no stock"):
        make_handler(schedule)({"runNow": {"name": "broken"}}, Context())
    lenient = make_handler(schedule, raise_on_failure=False)
    assert lenient({"runNow": {"name": "broken"}}, Context())["status"]["outcome"] == "Failed"
    told = lenient({"time": rfc3339(minute + timedelta(minutes=1))}, Context())
    assert (told["exitCode"], told["outcomes"]) == (1, {"Failed": 1})


def test_a_run_that_cannot_end_in_time_is_stopped_and_recorded(minute: datetime) -> None:
    schedule = Schedule("shop")
    schedule.command("sleep 600").every_minute().named("long")
    context = Context(seconds=3.0)
    told = make_handler(schedule, raise_on_failure=False)({"time": rfc3339(minute)}, context)
    assert context.get_remaining_time_in_millis() > 0
    assert told["runs"][0]["status"]["reason"] == "TimedOut"
    assert "before whoever started it stops" in told["runs"][0]["status"]["message"]

    from timewright.storage.protocol import HistoryQuery
    from timewright.triggers.run_to_end import run_to_end
    from timewright.triggers.served_tasks import ServedTasks

    (recorded,) = run_to_end(ServedTasks.of_schedule(schedule).history(HistoryQuery()))
    assert (recorded.outcome, recorded.reason) == ("Failed", "TimedOut")


def test_ticks_later_in_the_minute_are_not_waited_for_beyond_the_deadline(ran: list[str]) -> None:
    schedule = Schedule("shop")

    @schedule.task("* * * * * *")
    def each_second() -> None:
        ran.append("second")

    context = Context(seconds=3.0)
    told = make_handler(schedule)({}, context)
    assert context.get_remaining_time_in_millis() > 0
    assert told["exitCode"] == 0


def test_a_store_that_cannot_be_used_is_an_error_and_what_needs_it_does_not_run(
    minute: datetime, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = Schedule("shop")
    schedule.call(lambda: ran.append("alone")).every_minute().without_overlapping().named("alone")
    monkeypatch.setenv("TIMEWRIGHT_STORE", "sqlite:///proc/none/state.db")
    with pytest.raises(NotRecordedError, match="/proc/none"):
        make_handler(schedule)({"time": rfc3339(minute)}, Context())
    assert ran == []


def test_without_a_store_that_containers_share_what_needs_one_is_refused(
    schedule: Schedule, ran: list[str], minute: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIMEWRIGHT_STORE")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "schedule")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    schedule.call(lambda: ran.append("alone")).every_minute().without_overlapping().named("alone")
    with pytest.raises(NotRecordedError, match=r"alone-.*Unprotected.*this instance of the Lambda function only"):
        make_handler(schedule)({"time": rfc3339(minute)}, Context())
    assert ran == [f"sync {minute:%H:%M} since yesterday"]


APP = """
print("loading", flush=True)
from timewright import Schedule
schedule = Schedule("shop")
schedule.command("echo hello").every_minute().named("hello")
"""

# As Lambda's runtime does it: the module is imported, the handler looked up once, and called for each event.
RUNTIME = """
import importlib
module = importlib.import_module("timewright.triggers.aws_lambda")
print("imported", flush=True)
handler = getattr(module, "handler")
print("found", flush=True)
for _ in range(2):
    told = handler({"time": "2026-03-08T04:00:00Z"}, None)
    # Here Lambda stops the process until the next event: what tasks print has to be written by now.
    print("runs:", len(told["runs"]), flush=True)
"""


def in_lambda(folder: Path, store: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "shop.py").write_text(APP)
    return subprocess.run(
        [sys.executable, "-c", RUNTIME],
        cwd=folder,
        env={"PYTHONPATH": str(SOURCE), "TIMEWRIGHT_STORE": store, "PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_ready_made_handler(tmp_path: Path, store: str) -> None:
    done = in_lambda(tmp_path, store, TIMEWRIGHT_APP="shop:schedule")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("hello | timewright:")]
    assert lines == ["imported", "loading", "found", "hello | hello", "runs: 1", "runs: 0"], done.stderr


def test_a_cold_start_imports_no_more_than_it_needs() -> None:
    heavy = ("pydantic", "yaml", "httpx", "typer", "rich", "starlette", "uvicorn", "azure", "kubernetes", "argparse")
    code = f"import sys, timewright.triggers.aws_lambda; print([name for name in {heavy} if name in sys.modules])"
    environment = {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "TIMEWRIGHT_APP is not set"),
        ({"TIMEWRIGHT_APP": "nothing:schedule"}, "there is no module 'nothing'"),
        ({"TIMEWRIGHT_APP": "shop:schedule", "TIMEWRIGHT_LAMBDA_RAISES": "perhaps"}, "expected true or false"),
    ],
)
def test_the_ready_made_handler_without_what_it_needs(
    tmp_path: Path, store: str, environment: dict[str, str], words: str
) -> None:
    done = in_lambda(tmp_path, store, **environment)
    assert done.returncode != 0
    assert words in done.stderr
    assert "LoadError" in done.stderr


def test_a_schedule_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(LoadError, match="no module"):
        make_handler("nothing.there:schedule")


async def test_where_an_event_loop_runs_nothing_is_run(schedule: Schedule, ran: list[str]) -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        make_handler(schedule)({}, Context())
    assert ran == []
