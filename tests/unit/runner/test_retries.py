"""Further attempts: when there are any, what they see, what is told of those that failed."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.calls import context_of, definition_of, run_call
from tests.unit.runner.harness import run as run_in_pod
from tests.unit.runner.harness import shell
from timewright.decisions.policies import Retry
from timewright.resources.task_run import Attempt
from timewright.resources.vocabulary import Outcome, Reason
from timewright.runner import attempts
from timewright.runner.current_run import current_run
from timewright.runner.definition import Definition
from timewright.runner.output import Output
from timewright.runner.run import execute
from timewright.runner.stop import StopRequest

TWICE = Retry(limit=2, backoff=10, jitter=0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Keep the waits between attempts, and do not wait."""
    kept: list[float] = []

    async def pause(seconds: float, stop: StopRequest) -> None:
        kept.append(seconds)

    monkeypatch.setattr(attempts, "pause", pause)
    return kept


def fails(times: int, seen: list[Any]) -> Any:
    async def function() -> None:
        run = current_run()
        assert run is not None
        seen.append((run.attempt, run.run_id, run.scheduled_at))
        print(f"attempt {run.attempt}")
        if len(seen) <= times:
            raise ValueError(f"no {len(seen)}")

    return function


async def test_it_tries_again_until_it_succeeds(waits: list[float]) -> None:
    seen: list[Any] = []
    result = await run_call(fails(1, seen), retry=TWICE)
    assert result.succeeded
    assert result.attempt == 2
    assert result.output == "attempt 2\n"
    assert waits == [10]
    assert [each[0] for each in seen] == [1, 2]
    assert len({each[1:] for each in seen}) == 1, "the attempts share the identity and the nominal time of the run"
    (first,) = result.attempts
    told = Attempt.model_validate(first)
    assert (told.number, told.reason, told.message, told.exit_code) == (1, "Exception", "ValueError: no 1", None)
    assert told.output is not None
    assert told.output.startswith("attempt 1\nTraceback")
    assert told.start_time is not None
    assert told.completion_time is not None


async def test_it_gives_up_when_no_attempt_is_left(waits: list[float]) -> None:
    result = await run_call(fails(9, []), retry=TWICE)
    assert (result.outcome, result.message, result.attempt) == (Outcome.FAILED, "ValueError: no 3", 3)
    assert [each["message"] for each in result.attempts] == ["ValueError: no 1", "ValueError: no 2"]
    assert waits == [10, 20]


async def test_without_a_policy_there_is_one_attempt(waits: list[float]) -> None:
    result = await run_call(fails(9, []))
    assert (result.outcome, result.attempts, waits) == (Outcome.FAILED, [], [])


async def test_what_cannot_end_otherwise_is_not_tried_again(waits: list[float]) -> None:
    result = await run_call(lambda: None, isolated=True, retry=TWICE)
    assert (result.reason, result.attempts, waits) == ("InvalidDefinition", [], [])


@pytest.mark.parametrize("when", ["during an attempt", "between attempts"])
async def test_a_request_to_stop_ends_it(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    stop = StopRequest()

    async def pause(seconds: float, stop: StopRequest) -> None:
        stop.request("enough", Reason.INTERRUPTED)

    async def function() -> None:
        print("once")
        if when == "during an attempt":
            stop.request("enough", Reason.INTERRUPTED)
            await asyncio.sleep(60)
        raise ValueError("first")

    monkeypatch.setattr(attempts, "pause", pause)
    result = await run_call(function, retry=TWICE, stop=stop)
    assert (result.outcome, result.reason) == (Outcome.CANCELLED, "Interrupted")
    assert result.attempts == []
    assert result.output.startswith("once\n")
    if when == "between attempts":
        assert result.message == "enough; attempt 1 had failed: ValueError: first"


async def test_the_wait_ends_when_somebody_asks_to_stop() -> None:
    stop = StopRequest()
    running = asyncio.ensure_future(run_call(fails(9, []), retry=Retry(limit=1, backoff=300), stop=stop))
    await asyncio.sleep(0.05)
    stop.request("enough")
    result = await asyncio.wait_for(running, 10)
    assert result.outcome is Outcome.CANCELLED


async def test_every_kind_is_tried_again_and_told_its_attempt(waits: list[float]) -> None:
    script = 'import os, sys; n = int(os.environ["TIMEWRIGHT_ATTEMPT"]); print(n); sys.exit(0 if n == 3 else 40 + n)'
    definition = Definition("sync", "", "command", [sys.executable, "-c", script], retry=TWICE)
    result = await execute(definition, context_of(definition), Output(live=False))
    assert (result.outcome, result.output, result.attempt) == (Outcome.SUCCEEDED, "3\n", 3)
    assert [(each["exitCode"], each["output"]) for each in result.attempts] == [(41, "1\n"), (42, "2\n")]


async def test_a_record_holds_the_latest_attempts_of_very_many(waits: list[float]) -> None:
    result = await run_call(fails(999, []), retry=Retry(limit=90, backoff=1))
    assert result.attempt == 91
    assert [each["number"] for each in result.attempts] == list(range(28, 91))


async def test_in_a_pod(tmp_path: Path) -> None:
    script = f"echo n >> {tmp_path}/tries; echo 'disk full' >&2; test $(wc -l < {tmp_path}/tries) = 3"
    done = await run_in_pod(tmp_path, shell(script, retry={"limit": 5, "backoffSeconds": 0}))
    assert done.exit_code == 0
    assert done.told.outcome is Outcome.SUCCEEDED
    assert done.told.attempt_count == 3
    assert [(each.number, each.exit_code, each.reason) for each in done.told.attempts] == [
        (1, 1, "NonZeroExit"),
        (2, 1, "NonZeroExit"),
    ]
    assert "attempt 1 failed (NonZeroExit)" in done.stdout


class TestDeadline:
    async def test_no_attempt_begins_that_cannot_end_by_then(self) -> None:
        result = await run_call(fails(0, []), deadline=time.monotonic() + 0.1)
        assert (result.outcome, result.reason) == (Outcome.FAILED, "DeadlineExceeded")
        assert result.output == ""

    async def test_what_is_running_is_ended_before_it(self) -> None:
        async def sleeps() -> None:
            await asyncio.sleep(60)

        deadline = time.monotonic() + 1.0
        for function in (sleeps, lambda: time.sleep(3)):
            result = await run_call(function, deadline=deadline, timeout_seconds=500 if function is sleeps else None)
            assert time.monotonic() < deadline
            assert (result.outcome, result.reason) == (Outcome.FAILED, "TimedOut")
            assert "all the time there was before whoever started it stops" in result.message
            deadline = time.monotonic() + 1.0

    async def test_a_command_that_ignores_sigterm_is_gone_by_then(self) -> None:
        definition = Definition("sync", "", "command", ["sh", "-c", "trap '' TERM; sleep 4242.9; sleep 4242.9"])
        deadline = time.monotonic() + 2.0
        result = await execute(definition, context_of(definition), Output(live=False), deadline=deadline)
        assert result.reason == "TimedOut"
        assert result.finished_at - result.started_at < 10

    async def test_the_tasks_own_time_out_counts_where_it_is_shorter(self) -> None:
        async def sleeps() -> None:
            await asyncio.sleep(60)

        result = await run_call(sleeps, deadline=time.monotonic() + 300, timeout_seconds=0.05)
        assert "(its time-out)" in result.message

    async def test_there_is_no_further_attempt_without_time_for_it(self) -> None:
        definition = definition_of(fails(9, []), retry=Retry(limit=3, backoff=300))
        result = await execute(definition, context_of(definition), Output(live=False), deadline=time.monotonic() + 60)
        assert (result.outcome, result.message, result.attempt) == (Outcome.FAILED, "ValueError: no 1", 1)
        assert "leaves it no time for another attempt" in result.output
