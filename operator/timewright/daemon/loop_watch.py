"""Watches the event loop from a thread: a function that holds it up is told of, and kept from doing so again.

All tasks of a daemon share its event loop, and an async function that blocks stops it. Whether a function is going to
cannot be seen beforehand. So the first time costs the others as long as it blocks, or until the Lease is in danger,
when it is interrupted; from its next run on it has a process of its own.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from prometheus_client import Counter

from timewright.engine.beside import told
from timewright.engine.executor import Executor
from timewright.engine.running import Running
from timewright.runner.coroutine_driver import Driver
from timewright.runner.definition import Definition
from timewright.runner.event_loop import run_of

logger = logging.getLogger(__name__)

BEAT_SECONDS = 0.2
LOOK_SECONDS = 0.25
_LOOKS = 4
"""At how many looks in a row the same code has to be seen. They are counted, since a clock would also count the time
for which the whole process was stopped."""

TELLING_SECONDS = 60.0
"""How long it is told of."""

_SIGNAL = signal.SIGUSR2
_DRIVING = Driver.__await__.__code__

holds = Counter("timewright_event_loop_held", "Times that code of a task held up the event loop for a second or more.")


class EventLoopHeld(BaseException):
    """Raised in a function that blocks the event loop so long that its daemon would lose the Lease."""


class LoopWatch:
    """Watches the running event loop for as long as it is entered. It interrupts in the main thread alone."""

    def __init__(self, executor: Callable[[], Executor | None], in_danger: Callable[[], bool]) -> None:
        """Begin. `executor` is asked for what runs, and `in_danger`, from another thread, for whether it is urgent."""
        self._executor, self._in_danger = executor, in_danger
        self._turned_at = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="timewright-loop-watch", daemon=True)
        self._told_at, self._told = 0.0, ""
        self._wanted: asyncio.Task[Any] | None = None
        """What is to be interrupted."""
        self._before: Any = None

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._loop, self._watched = asyncio.get_running_loop(), threading.current_thread()
        if self._watched is threading.main_thread():
            self._before = signal.signal(_SIGNAL, self._interrupted)
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no longer."""
        self._over.set()
        self._beating.cancel()
        self._thread.join()
        if self._watched is threading.main_thread():
            signal.signal(_SIGNAL, self._before)

    @property
    def standing_still(self) -> float:
        """For how many seconds the event loop has not turned, a fraction of one apart."""
        return time.monotonic() - self._turned_at

    @property
    def held_by(self) -> str:
        """Which task has held up the event loop in the last minute; empty if none has."""
        return self._told if time.monotonic() - self._told_at < TELLING_SECONDS else ""

    def _beat(self) -> None:
        self._turned_at = time.monotonic()
        self._beating = self._loop.call_later(BEAT_SECONDS, self._beat)

    # In the thread

    def _look(self) -> None:
        turned_at, suspect, looks = 0.0, None, 0
        while not self._over.wait(LOOK_SECONDS):
            current = asyncio.current_task(self._loop)
            if self._turned_at != turned_at or current is None or current is not suspect:
                turned_at, suspect, looks = self._turned_at, current, 1
                continue
            looks += 1
            if looks % _LOOKS == 0:
                try:
                    self._act(current, is_news=looks == _LOOKS)
                except Exception as error:  # noqa: BLE001 - or nobody would watch any more
                    logger.warning("timewright failed, and goes on: %s", told(error))

    def _act(self, task: asyncio.Task[Any], *, is_news: bool) -> None:
        running = self._holder(task)
        if is_news:
            self._tell(running)
        if running is not None and self._in_danger():
            self._interrupt(task)

    def _holder(self, task: asyncio.Task[Any]) -> Running | None:
        executor, context = self._executor(), run_of(task)
        active = [] if executor is None else list(executor.active.values())
        return next((each for each in active if each.carrier is task or (context and each.context is context)), None)

    def _tell(self, running: Running | None) -> None:
        frame = sys._current_frames().get(self._watched.ident or 0)
        place = "" if frame is None else f", at line {frame.f_lineno} of {frame.f_code.co_filename}"
        if running is None:
            logger.warning("the event loop stands still%s", place)
            return
        text = f"{_called(running.task.definition)} of task {running.task.name}"
        logger.warning(
            "%s holds up the event loop, and with it all other tasks%s; let it await instead of blocking, or make it a "
            "plain function. From its next run on it has a process of its own, until the task is edited",
            text,
            place,
        )
        self._loop.call_soon_threadsafe(self._set_apart, running, text)

    def _interrupt(self, task: asyncio.Task[Any]) -> None:
        # Outside of the main thread there is no handler of ours, and a task may have put its own in place of it.
        if signal.getsignal(_SIGNAL) == self._interrupted:
            self._wanted = task
            signal.pthread_kill(self._watched.ident or 0, _SIGNAL)

    # In the event loop's own

    def _set_apart(self, running: Running, text: str) -> None:
        holds.inc()
        self._told_at, self._told = time.monotonic(), text
        executor = self._executor()
        if executor is not None:
            executor.set_apart(running.task)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Take the signal: raise in the code of the task, and nowhere else."""
        wanted, self._wanted = self._wanted, None
        current = asyncio.current_task(self._loop) if asyncio._get_running_loop() is self._loop else None
        if wanted is not None and current is wanted and (run_of(wanted) is not None or _is_driven(frame)):
            raise EventLoopHeld(
                f"it held up the event loop for {self.standing_still:.0f} s, so that the daemon would have lost its "
                "Lease; await instead of blocking, or make it a plain function"
            )


def _called(definition: Definition) -> str:
    return str(getattr(definition.work, "name", definition.name))


def _is_driven(frame: FrameType | None) -> bool:
    """Tell whether that is within a coroutine that a `Driver` has given control to."""
    while frame is not None and frame.f_back is not None:
        if frame.f_back.f_code is _DRIVING:
            return not frame.f_globals.get("__name__", "").startswith("timewright.runner.")
        frame = frame.f_back
    return False
