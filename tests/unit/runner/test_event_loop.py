"""The event loop runs on whatever tasks do to it, and ends with what it was started for."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.unit.runner.harness import SOURCE
from timewright.runner import event_loop
from timewright.runner.event_loop import run


async def _stops_the_loop() -> None:
    asyncio.get_running_loop().stop()


async def _raises(error: BaseException) -> None:
    raise error


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("disturb", [_stops_the_loop, lambda: _raises(SystemExit(3))])
def test_tasks_that_disturb_it(disturb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> str:
        task = asyncio.ensure_future(disturb())
        await asyncio.sleep(0.05)
        with contextlib.suppress(BaseException):
            task.exception()
        return "done"

    assert run(main()) == "done"


def test_what_main_raises_comes_out() -> None:
    with pytest.raises(ValueError, match="mine"):
        run(_raises(ValueError("mine")))  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        run(_raises(SystemExit(3)))  # type: ignore[arg-type]


async def test_where_one_is_running_it_refuses() -> None:
    with pytest.raises(RuntimeError, match="await the coroutine instead"):
        run(_raises(ValueError("never")))  # type: ignore[arg-type]


def test_nothing_that_is_left_keeps_it_from_returning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "_WIND_UP_SECONDS", 0.05)
    ended: list[str] = []

    async def swallows() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    async def cleans_up() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned up")

    async def main() -> list[asyncio.Task[None]]:
        left = [asyncio.ensure_future(swallows()), asyncio.ensure_future(cleans_up())]
        await asyncio.sleep(0)
        return left

    left = run(main())
    assert ended == ["cleaned up"]
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]


_CTRL_C = """
import asyncio, os, signal, threading, time
from timewright.runner.event_loop import run
async def main():
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.sleep(60)
    finally:
        print("recorded", flush=True)
try:
    run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_cancels_main_and_comes_out() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _CTRL_C],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.stdout == "recorded\ninterrupted\n", done.stderr
    assert time.monotonic() - began < 50
