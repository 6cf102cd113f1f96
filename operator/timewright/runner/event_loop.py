"""Runs an event loop on which functions of others run, who may stop it or raise what ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from timewright.runner.fork_guard import guard, leave_if_copy

_Returned = TypeVar("_Returned")

_MOST_DISTURBANCES = 1_000_000
"""An event loop that cannot be kept running at all is given up, rather than tried for ever."""


def run(main: Coroutine[Any, Any, _Returned]) -> _Returned:
    """Run a coroutine to its end on an event loop of its own, and return what it returns.

    Unlike with `asyncio.run`, nothing but `main` decides when that is: not a task that calls `loop.stop()`, nor one in
    which SystemExit or KeyboardInterrupt is raised, which asyncio lets out of the loop. Ctrl-C ends it, unless `main`
    takes that signal. And unlike there, nobody waits for what is left when `main` has ended:
    neither for other tasks nor for threads, of which one may hang. For a process that ends soon after.
    """
    loop = asyncio.new_event_loop()
    guard(loop)
    asyncio.set_event_loop(loop)
    task = loop.create_task(main)
    for _ in range(_MOST_DISTURBANCES):
        try:
            return loop.run_until_complete(task)
        except BaseException as error:
            leave_if_copy(failed=True)
            if task.done() or _is_ctrl_c(error):
                raise
            with contextlib.suppress(Exception):
                sys.stderr.write(f"timewright: a task disturbed the event loop: {type(error).__name__}: {error}\n")
    raise RuntimeError("tasks keep stopping the event loop")


def _is_ctrl_c(error: BaseException) -> bool:
    """Tell whether a person may have pressed Ctrl-C, and nobody has taken it upon himself to listen."""
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler
