"""Runs an event loop on which functions of others run, who may stop it or raise what ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from timewright.runner.current_run import CURRENT
from timewright.runner.fork_guard import guard, leave_if_copy

if TYPE_CHECKING:
    from timewright.runner.context import RunContext

_Returned = TypeVar("_Returned")

_MOST_DISTURBANCES = 1_000_000
"""An event loop that cannot be kept running at all is given up, rather than tried for ever."""

_FEW_TASKS = 1_000

_RUN = "_timewright_run"

_WIND_UP_SECONDS = 0.2
"""How long what is left on the event loop has to end once it is cancelled."""


def run(main: Coroutine[Any, Any, _Returned]) -> _Returned:
    """Run a coroutine to its end on an event loop of its own, and return what it returns.

    Unlike with `asyncio.run`, nothing but `main` decides when that is: not a task that calls `loop.stop()`, nor one in
    which SystemExit or KeyboardInterrupt is raised, which asyncio lets out of the loop, nor one that cancels all the
    others that it finds. Ctrl-C cancels `main`, unless it has taken that signal. And unlike there, nothing that is left
    can keep this from returning: neither a task that swallows its cancellation nor a thread that hangs.

    Raises:
        KeyboardInterrupt: when Ctrl-C ended it.
        RuntimeError: where an event loop is running already.

    """
    if _is_running():
        main.close()
        raise RuntimeError("an event loop is running here already; await the coroutine instead")
    loop = asyncio.new_event_loop()
    guard(loop)
    own_tasks = _OwnTasks()
    loop.set_task_factory(own_tasks.new_task)
    asyncio.set_event_loop(loop)
    try:
        return _run_to_end(loop, loop.create_task(main))
    finally:
        _wind_up(loop, own_tasks)
        asyncio.set_event_loop(None)


def run_of(task: asyncio.Task[Any]) -> RunContext | None:
    """Return the run whose code has made an asyncio task, on an event loop of `run`; None if it is no run's."""
    return getattr(task, _RUN, None)


class _OwnTasks:
    """Tasks that are no part of any run. Code that ends all that it finds by `asyncio.all_tasks` does not find them."""

    def __init__(self) -> None:
        self._tasks: list[weakref.ref[asyncio.Task[Any]]] = []
        self._most = _FEW_TASKS
        """How many references there may be before those to tasks that are gone are dropped."""

    def new_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **settings: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **settings)
        run = CURRENT.get()
        if run is None:
            self._tasks.append(weakref.ref(task))
            if len(self._tasks) > self._most:
                self._tasks = [each for each in self._tasks if each() is not None]
                self._most = max(_FEW_TASKS, 2 * len(self._tasks))
            # https://docs.python.org/3/library/asyncio-extending.html#task-lifetime-support
            asyncio.tasks._unregister_task(task)
        else:
            setattr(task, _RUN, run)
        return task

    def left(self) -> list[asyncio.Task[Any]]:
        tasks = (each() for each in self._tasks)
        return [task for task in tasks if task is not None and not task.done()]


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_to_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[_Returned]) -> _Returned:
    is_interrupted = False
    for _ in range(_MOST_DISTURBANCES):
        try:
            result = loop.run_until_complete(task)
        except BaseException as error:
            leave_if_copy(failed=True)
            if is_interrupted and (task.done() or _is_ctrl_c(error)):
                raise KeyboardInterrupt from None
            if task.done():
                raise
            if _is_ctrl_c(error):
                is_interrupted = True
                task.cancel()
                continue
            with contextlib.suppress(Exception):
                sys.stderr.write(f"timewright: a task disturbed the event loop: {type(error).__name__}: {error}\n")
        else:
            leave_if_copy()
            return result
    raise RuntimeError("tasks keep stopping the event loop")


def _is_ctrl_c(error: BaseException) -> bool:
    """Tell whether a person may have pressed Ctrl-C, and nobody has taken it upon himself to listen."""
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _wind_up(loop: asyncio.AbstractEventLoop, own_tasks: _OwnTasks) -> None:
    """End what is left, but do not wait for long, and close the event loop."""
    leave_if_copy(failed=True)
    with contextlib.suppress(BaseException):
        left = {*asyncio.all_tasks(loop), *own_tasks.left()}
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_WIND_UP_SECONDS))
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), _WIND_UP_SECONDS))
    with contextlib.suppress(Exception):
        loop.close()
