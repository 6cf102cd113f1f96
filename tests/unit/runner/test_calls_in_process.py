"""Functions called in the process of the engine end as what they are."""

import asyncio
import functools
import logging
import sys
import threading
import time
from typing import Any

import pytest

from tests.unit.runner.calls import NOMINAL, context_of, definition_of, run_call
from tests.unit.runner.tasks import hostile_calls as hostile
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.runner import routed_streams
from timewright.runner.current_run import RunInfo, current_run
from timewright.runner.output import Output
from timewright.runner.run import execute
from timewright.runner.stop import StopRequest


@pytest.fixture(autouse=True, params=["plain", "like any other"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether calls go the short way, where it is theirs, or the way of all kinds; nobody may see a difference."""
    if request.param != "plain":
        monkeypatch.setattr("timewright.runner.run.is_plain", lambda *_: False)


async def test_sync_functions_run_in_threads_and_async_ones_on_the_loop() -> None:
    where: dict[str, threading.Thread] = {}

    def in_thread() -> None:
        where["sync"] = threading.current_thread()

    async def on_loop() -> None:
        where["async"] = threading.current_thread()

    assert (await run_call(in_thread)).succeeded
    assert (await run_call(on_loop)).succeeded
    assert where["async"] is threading.current_thread()
    assert where["sync"] is not threading.current_thread()
    assert where["sync"].daemon


@pytest.mark.parametrize(
    "function",
    [
        hostile.fine,
        hostile.fine_async,
        functools.partial(hostile.fine_async),
        hostile.coroutine_never_awaited,
        lambda: hostile.fine_async(),
        hostile.exit_0,
        hostile.close_streams,
        hostile.odd_value,
        hostile.time_out_within_async,
    ],
)
async def test_success(function: Any) -> None:
    result = await run_call(function)
    assert (result.outcome, result.reason, result.message, result.exit_code) == (
        Outcome.SUCCEEDED,
        "Completed",
        "",
        None,
    )
    assert result.attempts == []
    assert result.started_at <= result.finished_at


async def test_arguments_and_parameters() -> None:
    seen: list[Any] = []

    def function(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    await run_call(function, 1, kwargs={"month": "fixed", "year": 2025}, context={"parameters": {"month": "May"}})
    assert seen == [((1,), {"month": "May", "year": 2025})]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (hostile.interrupt, "KeyboardInterrupt"),
        (hostile.interrupt_async, "KeyboardInterrupt"),
        (hostile.generator_exit_async, "GeneratorExit: odd"),
        (hostile.cancelled_error_async, "asyncio.exceptions.CancelledError: by myself"),
        (hostile.stop_iteration_async, "RuntimeError: coroutine raised StopIteration"),
        (hostile.unprintable, "tests.unit.runner.tasks.hostile_calls.UnprintableError: <its text cannot be had"),
        (hostile.recurse, "RecursionError: maximum recursion depth exceeded"),
        (hostile.recurse_async, "RecursionError: maximum recursion depth exceeded"),
        (hostile.long_chain, "ValueError: number 4999"),
        (hostile.close_streams_and_print, "ValueError: I/O operation on closed file."),
        (hostile.set_a_signal_handler, "ValueError: signal only works in main thread"),
        (hostile.odd_await_async, "RuntimeError: Task got bad yield: 'nonsense'"),
        (functools.partial(hostile.fine, 1), "TypeError: fine() takes 0 positional arguments but 1 was given"),
        (functools.partial(hostile.fine_async, 1), "TypeError: fine_async() takes 0 positional arguments"),
    ],
)
async def test_exceptions(function: Any, message: str) -> None:
    result = await run_call(function)
    assert (result.outcome, result.reason, result.exit_code) == (Outcome.FAILED, "Exception", None)
    assert result.message.startswith(message)
    assert message.partition(":")[0].rpartition(".")[2] in result.output


@pytest.mark.parametrize(
    ("function", "message", "code"),
    [
        (hostile.exit_3, "tests.unit.runner.tasks.hostile_calls:exit_3: sys.exit(3) was called", 3),
        (hostile.exit_text_async, "tests.unit.runner.tasks.hostile_calls:exit_text_async: out of stock", 1),
    ],
)
async def test_exits(function: Any, message: str, code: int) -> None:
    result = await run_call(function)
    assert (result.outcome, result.reason, result.exit_code) == (Outcome.FAILED, "NonZeroExit", code)
    assert result.message == message


@pytest.mark.parametrize("function", [hostile.generator, hostile.generator_async])
async def test_a_generator_function_has_run_nothing_and_says_so(function: Any) -> None:
    result = await run_call(function)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "StartError")
    assert "is a generator function" in result.message
    assert result.output == ""


async def test_the_traceback_begins_with_the_functions_own_code() -> None:
    def fails() -> None:
        try:
            {}["order"]
        except KeyError as error:
            raise ValueError("no such order") from error

    async def fails_async() -> None:
        await asyncio.sleep(0)
        fails()

    for function in (fails, fails_async):
        output = (await run_call(function)).output
        assert output.startswith("Traceback (most recent call last):\n")
        assert "KeyError: 'order'" in output
        assert "direct cause" in output
        assert output.endswith("ValueError: no such order\n")
        assert "timewright/runner" not in output


async def test_a_traceback_of_thousands_of_frames_is_cut() -> None:
    result = await run_call(hostile._ping, 400)
    assert result.message == "ValueError: deep down"
    assert "frames in the middle of the traceback of ValueError left out" in result.output
    assert len(result.output) < 20_000


async def test_what_is_printed_belongs_to_the_run_that_prints_it() -> None:
    barrier = threading.Barrier(2)

    def sync(word: str) -> None:
        for number in range(20):
            print(word, number)
            barrier.wait()
        sys.stderr.write(f"{word} err\n")
        sys.stdout.buffer.write(f"{word} raw\n".encode())

    async def not_sync(word: str) -> None:
        for number in range(20):
            print(word, number)
            await asyncio.sleep(0)
        await asyncio.to_thread(print, word, "thread")

    words = ["a", "b"], ["c", "d"]
    results = await asyncio.gather(
        *(run_call(sync, word) for word in words[0]), *(run_call(not_sync, word) for word in words[1])
    )
    for word, result in zip([*words[0], *words[1]], results, strict=True):
        lines = result.output.splitlines()
        assert lines[:20] == [f"{word} {number}" for number in range(20)]
        assert lines[20:] == ([f"{word} err", f"{word} raw"] if word in words[0] else [f"{word} thread"])


async def test_what_is_printed_outside_of_any_run_is_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    async def prints() -> None:
        print("inside")
        await asyncio.sleep(0.01)

    running = asyncio.ensure_future(run_call(prints))
    await asyncio.sleep(0)
    print("outside")
    result = await running
    print("afterwards")
    assert result.output == "inside\n"
    assert capsys.readouterr().out == "outside\nafterwards\n"


async def test_what_is_logged_belongs_to_the_run_that_logs_it() -> None:
    routed_streams.install()
    handler, log = logging.StreamHandler(), logging.getLogger("tests.of.a.run")
    log.addHandler(handler)
    try:
        results = await asyncio.gather(*(run_call(log.warning, word) for word in ("one", "two")))
    finally:
        log.removeHandler(handler)
    assert [each.output for each in results] == ["one\n", "two\n"]


async def test_current_run() -> None:
    assert current_run() is None
    seen: list[RunInfo | None] = []

    async def looks() -> None:
        seen.append(current_run())
        await asyncio.to_thread(lambda: seen.append(current_run()))

    await run_call(
        looks,
        context={"run_id": "sync-7", "trigger": Trigger.MANUAL, "last_success_at": NOMINAL},
    )
    await run_call(lambda: seen.append(current_run()), context={"run_id": "sync-8"})
    assert seen[0] == seen[1] == RunInfo("sync", "sync-7", NOMINAL, {}, Trigger.MANUAL, 1, NOMINAL)
    assert seen[2] == RunInfo("sync", "sync-8", NOMINAL, {}, Trigger.SCHEDULE, 1, None)
    assert current_run() is None


async def test_all_that_begin_together_begin_before_the_first_is_wound_up() -> None:
    begun: list[float] = []

    async def function() -> None:
        begun.append(time.time())

    definition = definition_of(function)
    runs = [asyncio.ensure_future(execute(definition, context_of(definition), Output(live=False))) for _ in range(100)]
    await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
    assert len(begun) == 100
    results = await asyncio.gather(*runs)
    assert all(result.succeeded for result in results)


class TestTimeOut:
    async def test_an_async_function_is_cancelled_and_may_clean_up(self) -> None:
        result = await run_call(hostile.clean_up_async, timeout_seconds=0.05)
        assert (result.outcome, result.reason) == (Outcome.FAILED, "TimedOut")
        assert result.message.endswith("clean_up_async did not finish within 0.05 s (its time-out) and was ended")
        assert result.output == "cleaned up\n"

    @pytest.mark.parametrize(
        "function",
        [
            hostile.swallow_cancellation_async,
            hostile.await_what_swallows_async,
            hostile.spin_politely_async,
        ],
    )
    async def test_one_that_swallows_the_cancellation_is_given_up(self, function: Any) -> None:
        others = asyncio.all_tasks()
        result = await run_call(function, timeout_seconds=0.05, grace=0.05)
        assert (result.outcome, result.reason) == (Outcome.FAILED, "TimedOut")
        assert "was given up" in result.output
        for task in asyncio.all_tasks() - others:  # what the function started besides lives on, in vain
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)

    async def test_what_returns_in_time_has_no_time_out(self) -> None:
        assert (await run_call(hostile.fine_async, timeout_seconds=60)).succeeded

    async def test_what_succeeds_only_once_it_was_cancelled_has_timed_out(self) -> None:
        async def late() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return

        assert (await run_call(late, timeout_seconds=0.05)).reason == "TimedOut"


class TestStop:
    @pytest.mark.parametrize(
        "function",
        [
            hostile.clean_up_async,
            hostile.swallow_cancellation_async,
            functools.partial(time.sleep, 3),
        ],
    )
    async def test_a_request_ends_the_run(self, function: Any) -> None:
        stop = StopRequest()
        running = asyncio.ensure_future(run_call(function, stop=stop, grace=0.05))
        await asyncio.sleep(0.05)
        stop.request("somebody asked for its end", Reason.INTERRUPTED)
        result = await asyncio.wait_for(running, 2)
        assert (result.outcome, result.reason) == (Outcome.CANCELLED, "Interrupted")
        assert result.message == "somebody asked for its end"
        assert ("given up" in result.output) == (function is not hostile.clean_up_async)

    async def test_a_function_may_ask_for_its_own_end(self) -> None:
        stop = StopRequest()

        async def ends_itself() -> None:
            stop.request("enough")
            await asyncio.sleep(60)

        async def ends_itself_and_returns() -> None:
            stop.request("enough")

        assert (await run_call(ends_itself, stop=stop)).outcome is Outcome.CANCELLED
        stop = StopRequest()
        assert (await run_call(ends_itself_and_returns, stop=stop)).outcome is Outcome.CANCELLED
        await asyncio.sleep(0.01)  # no cancellation is left behind

    async def test_a_run_that_is_to_stop_before_it_starts_does_not_start(self) -> None:
        stop = StopRequest()
        stop.request("no")
        result = await run_call(hostile.fine, stop=stop)
        assert result.outcome is Outcome.CANCELLED
        assert result.output == ""

    @pytest.mark.parametrize("function", [hostile.clean_up_async, functools.partial(time.sleep, 1)])
    async def test_other_code_that_cancels_its_asyncio_task_ends_it_and_is_told(self, function: Any) -> None:
        running = asyncio.ensure_future(run_call(function))
        await asyncio.sleep(0.05)
        running.cancel()
        result = await asyncio.wait_for(running, 2)
        assert (result.outcome, result.reason) == (Outcome.CANCELLED, "Interrupted")
        assert "cancelled by other code" in result.message

    async def test_a_function_that_cancels_its_own_asyncio_task(self) -> None:
        result = await run_call(hostile.cancel_itself_async)
        assert result.outcome is Outcome.CANCELLED
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_threads_that_hang_do_not_keep_others_from_running() -> None:
    stop, release = StopRequest(), threading.Event()
    hung = [asyncio.ensure_future(run_call(release.wait, stop=stop, grace=0)) for _ in range(40)]
    await asyncio.sleep(0)
    result = await asyncio.wait_for(run_call(hostile.fine), 30)
    assert result.succeeded
    stop.request("enough")
    assert {each.outcome for each in await asyncio.gather(*hung)} == {Outcome.CANCELLED}
    release.set()
