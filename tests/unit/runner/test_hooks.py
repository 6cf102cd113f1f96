"""Hooks: what they are told, and that nothing they do changes how a run ends."""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.unit.runner.calls import NOMINAL, context_of, run_call
from timewright.decisions.policies import Retry
from timewright.resources.vocabulary import Outcome, Trigger
from timewright.runner import hook_calls
from timewright.runner.current_run import FinishedRun, RunInfo, current_run
from timewright.runner.definition import Definition
from timewright.runner.hooks import Hooks
from timewright.runner.output import Output
from timewright.runner.run import execute


def failing() -> None:
    raise ValueError("card declined")


def hooks_that_note(seen: list[Any]) -> Hooks:
    def note(name: str) -> Any:
        return lambda run: seen.append((name, run))

    return Hooks(**{name: (note(name),) for name in ("before", "on_success", "on_failure", "after")})


async def test_what_is_called_after_a_success() -> None:
    seen: list[Any] = []
    result = await run_call(lambda: print("done"), hooks=hooks_that_note(seen))
    assert [name for name, _ in seen] == ["before", "on_success", "after"]
    assert seen[0][1] == RunInfo("sync", "sync-1", NOMINAL, {}, Trigger.SCHEDULE, 1, None)
    finished = seen[1][1]
    assert isinstance(finished, FinishedRun)
    assert (finished.task, finished.run_id, finished.outcome) == ("sync", "sync-1", Outcome.SUCCEEDED)
    assert finished.output == "done\n"
    assert finished.started_at.timestamp() == pytest.approx(result.started_at)
    assert finished.finished_at.timestamp() == pytest.approx(result.finished_at)


async def test_what_is_called_after_a_failure_once_no_attempt_is_left() -> None:
    seen: list[Any] = []
    await run_call(failing, hooks=hooks_that_note(seen), retry=Retry(limit=2, backoff=0))
    assert [name for name, _ in seen] == ["before", "on_failure", "after"]
    finished = seen[1][1]
    assert (finished.outcome, finished.reason, finished.message) == (
        Outcome.FAILED,
        "Exception",
        "ValueError: card declined",
    )
    assert finished.attempt == 3


async def test_hooks_of_other_kinds_of_work() -> None:
    seen: list[Any] = []
    definition = Definition("sync", "", "command", ["sh", "-c", "exit 3"], hooks=hooks_that_note(seen))
    await execute(definition, context_of(definition), Output(live=False))
    assert [name for name, _ in seen] == ["before", "on_failure", "after"]
    assert seen[1][1].exit_code == 3


async def test_hooks_of_any_shape() -> None:
    seen: list[str] = []

    async def not_sync(run: RunInfo) -> None:
        await asyncio.sleep(0)
        seen.append(f"async {run.task}")

    class Notifier:
        def __call__(self, run: RunInfo) -> None:
            seen.append("object")

    def inside() -> None:
        run = current_run()
        seen.append("inside" if run is not None and run.run_id == "sync-1" else "outside")

    hooks = Hooks(before=(lambda: seen.append("nothing"), not_sync, Notifier(), inside, lambda run=None: not_sync(run)))
    assert (await run_call(lambda: None, hooks=hooks)).succeeded
    assert seen == ["nothing", "async sync", "object", "inside", "async sync"]


async def _swallows() -> None:
    for _ in range(3):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (failing, "ValueError: card declined"),
        (lambda: sys.exit(1), "SystemExit: 1"),
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda run, more: None, "missing 2 required positional arguments"),
        (lambda: (_ for _ in ()).throw(KeyboardInterrupt), "KeyboardInterrupt"),
        (_swallows, "did not finish within 0.1 s"),
        (lambda: time.sleep(1), "did not finish within 0.1 s"),
    ],
)
@pytest.mark.parametrize("work", [lambda: print("done"), failing])
async def test_hooks_that_fail_are_noted_and_change_nothing(
    monkeypatch: pytest.MonkeyPatch, hook: Any, words: str, work: Any
) -> None:
    monkeypatch.setattr(hook_calls, "HOOK_SECONDS", 0.1)
    monkeypatch.setattr(hook_calls, "_GRACE_SECONDS", 0.1)
    after: list[str] = []
    hooks = Hooks(before=(hook,), on_success=(hook,), on_failure=(hook,), after=(hook, lambda: after.append("called")))
    alone, result = await run_call(work), await run_call(work, hooks=hooks)
    assert (result.outcome, result.reason, result.message) == (alone.outcome, alone.reason, alone.message)
    assert result.output.count(words) >= 3
    assert "timewright: before " in result.output
    assert alone.output.splitlines()[-1] in result.output
    assert after == ["called"]


async def test_hooks_have_no_more_time_than_the_run_has() -> None:
    hooks = Hooks(on_success=(lambda: time.sleep(60),), after=(lambda: None,))
    deadline = time.monotonic() + 0.8
    result = await run_call(lambda: None, hooks=hooks, deadline=deadline)
    assert result.succeeded
    assert time.monotonic() < deadline
    assert "did not finish within" in result.output


async def test_what_hooks_print_is_recorded() -> None:
    result = await run_call(lambda: print("work"), hooks=Hooks(after=(lambda: print("hook"),)))
    assert result.output == "work\nhook\n"


class TestPings:
    @pytest.fixture
    def server(self) -> Iterator[tuple[str, list[str]]]:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                status = int(self.path[1:4]) if self.path[1:4].isdecimal() else 200
                if self.path == "/flaky" and asked.count("/flaky") == 1:
                    status = 503
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield f"http://127.0.0.1:{http.server_port}", asked
            http.shutdown()
            thread.join()

    @pytest.fixture(autouse=True)
    def no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)

    @pytest.mark.parametrize(
        ("work", "asked"), [(lambda: None, ["/before", "/good", "/then"]), (failing, ["/before", "/bad", "/then"])]
    )
    async def test_which_are_made(self, server: tuple[str, list[str]], work: Any, asked: list[str]) -> None:
        url, seen = server
        hooks = Hooks(
            ping_before=(f"{url}/before",),
            ping_on_success=(f"{url}/good",),
            ping_on_failure=(f"{url}/bad",),
            then_ping=(f"{url}/then",),
        )
        result = await run_call(work, hooks=hooks)
        assert seen == asked
        assert "ping" not in result.output

    async def test_one_that_fails_is_made_once_more(self, server: tuple[str, list[str]]) -> None:
        url, seen = server
        result = await run_call(lambda: None, hooks=Hooks(then_ping=(f"{url}/flaky",)))
        assert seen == ["/flaky", "/flaky"]
        assert result.output == ""

    async def test_one_that_fails_again_is_noted_without_what_may_be_secret(
        self, server: tuple[str, list[str]]
    ) -> None:
        url, seen = server
        result = await run_call(
            lambda: None, hooks=Hooks(ping_before=(f"{url}/500?token=s3cr3t", "http://127.0.0.1:1"))
        )
        assert result.succeeded
        assert seen == ["/500?token=s3cr3t"] * 2
        assert f"timewright: ping_before {url}/500: answered 500" in result.output
        assert "ping_before http://127.0.0.1:1: connection refused" in result.output
        assert "s3cr3t" not in result.output
