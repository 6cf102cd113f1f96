"""Awaits a coroutine of a task step by step, so that it can be given up, and no copy of this process comes out of it.

An asyncio task that swallows its cancellation, or waits for one that does, cannot be ended. Here the coroutine runs
within a task of ours, but what it waits for is waited for by `Driver`, which can stop waiting at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from timewright.runner.fork_guard import leave_if_copy


class GivenUp(Exception):  # noqa: N818 - a fact, not a fault
    """The coroutine did not end in time after it was cancelled, and was dropped."""


class Driver:
    """One coroutine on its way, within the current asyncio task. To be awaited once."""

    __slots__ = ("_coroutine", "_done", "_given_up", "_grace", "_task", "_timer", "cancelled", "disturbed")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], grace_seconds: float, task: asyncio.Task[Any] | None = None
    ) -> None:
        """Drive that coroutine, and drop it if it goes on that long after it was cancelled.

        `task` is the asyncio task in which this is awaited, if that is known already.
        """
        self.disturbed = False
        """Whether somebody else has cancelled the asyncio task, and nobody taken that back."""
        self._coroutine = coroutine
        self._grace = grace_seconds
        self._task = task
        self._timer: asyncio.TimerHandle | None = None
        self.cancelled = False
        """Whether `cancel` was called in time."""
        self._given_up = False
        self._done = False

    def cancel(self) -> None:
        """Cancel the coroutine."""
        if self.cancelled or self._done:
            return
        self.cancelled = True
        loop = asyncio.get_running_loop()
        loop.call_soon(self._cancel)  # not at once: the coroutine itself may be what asks for its end
        self._timer = loop.call_later(self._grace, self._give_up)

    def __await__(self) -> Generator[Any, Any, Any]:
        """Run the coroutine to its end. Raises what it raises, and GivenUp when it was dropped."""
        if self._task is None:
            self._task = asyncio.current_task()
        task = self._task
        if task is None:
            raise RuntimeError("a Driver is awaited within an asyncio task")
        cancelled_before = task.cancelling()
        coroutine = self._coroutine
        error: BaseException | None = None
        try:
            while True:
                try:
                    wanted = coroutine.send(None) if error is None else coroutine.throw(error)
                except StopIteration as end:
                    self._done = True
                    leave_if_copy()
                    return end.value
                except BaseException:
                    leave_if_copy(failed=True)
                    raise
                leave_if_copy()
                error = yield from self._pass_on(wanted, task)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if not self._done:
                self._done = True
                self._close()
            while task.cancelling() > cancelled_before:
                self.disturbed = not self.cancelled
                task.uncancel()

    def _pass_on(self, wanted: Any, task: asyncio.Task[Any]) -> Generator[Any, Any, BaseException | None]:
        """Wait for what the coroutine waits for; return what was raised meanwhile, to be raised in it."""
        try:
            # Anything but a future of this event loop is for asyncio's own task to take, or to refuse.
            if _can_wait_for(wanted, task):
                yield from self._wait_for(wanted)
            else:
                yield wanted
        except (GivenUp, GeneratorExit):
            raise
        except BaseException as sent:  # noqa: BLE001 - it is passed on
            if self._given_up:
                raise GivenUp from None
            return sent
        return None

    def _wait_for(self, wanted: asyncio.Future[Any]) -> Generator[Any, Any, None]:
        """Wait for a future as an asyncio task does: one that is cancelled cancels it, and waits on for its end."""
        wanted._asyncio_future_blocking = False
        loop = wanted.get_loop()
        while not wanted.done():
            woken = loop.create_future()

            def wake(_: object, woken: asyncio.Future[None] = woken) -> None:
                if not woken.done():
                    woken.set_result(None)

            wanted.add_done_callback(wake)
            try:
                yield from woken
            except asyncio.CancelledError as sent:
                if self._given_up:
                    raise GivenUp from None
                if not wanted.cancel(*sent.args[:1]):
                    raise
            finally:
                wanted.remove_done_callback(wake)
        wanted.result()

    def _close(self) -> None:
        """End what is left of the coroutine; it may still have its `finally` blocks run, but not wait in them."""
        try:  # noqa: SIM105 - this is on the way of every run, and what ruff would have costs as much as all the rest
            self._coroutine.close()
        except BaseException:  # noqa: BLE001, S110 - it was given its chance
            pass
        leave_if_copy(failed=True)

    def _cancel(self) -> None:
        if not self._done and self._task is not None:
            self._task.cancel()

    def _give_up(self) -> None:
        self._given_up = True
        self._cancel()


def _can_wait_for(wanted: Any, task: asyncio.Task[Any]) -> bool:
    if wanted is None or wanted is task:
        return False
    try:
        return wanted._asyncio_future_blocking is True and wanted.get_loop() is task.get_loop()
    except Exception:  # noqa: BLE001 - it is no future, or an odd one
        return False
