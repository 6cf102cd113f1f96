"""Calls a function of others in this process: on the event loop if it is async, else in a thread.

Whatever the function does, the caller learns how it ended, and within its time.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from timewright.runner import coroutine_driver, fork_guard, routed_streams, standard_descriptors, threads
from timewright.runner.coroutine_driver import Driver, GivenUp
from timewright.runner.stop import StopRequest

Problem = TypeVar("Problem")


@dataclass(slots=True)
class CallEnd(Generic[Problem]):
    """How a call ended."""

    problem: Problem | None = None
    """What the exception that it raised was made to; None if it raised none."""
    timed_out: bool = False
    stopped: bool = False
    """Whether its end was asked for."""
    given_up: bool = False
    """Whether it did not end when it should, so that it may go on."""
    disturbed: bool = False
    """Whether other code in this process has cancelled the asyncio task in which it ran."""
    is_generator: bool = False
    """Whether it returned a generator, so that nothing of it has run."""


DONE: CallEnd[Any] = CallEnd()
"""The end of a call of which there is nothing to tell."""


class GuardedCall(Generic[Problem]):
    """One call, within its limits."""

    __slots__ = ("_explain", "_grace", "_stop", "_timeout", "ended_at")

    def __init__(
        self,
        explain: Callable[[BaseException], Problem],
        *,
        grace: float,
        timeout: float | None = None,
        stop: StopRequest | None = None,
    ) -> None:
        """Set the limits.

        Args:
            explain: makes a problem of an exception, in the thread where it was raised.
            grace: seconds that the function has to end in once it is to.
            timeout: seconds after which it is to end.
            stop: asks for its end.

        """
        self._explain = explain
        self._grace = grace
        self._timeout = timeout
        self._stop = stop
        self.ended_at: float | None = None
        """When an async function returned, in seconds since 1970; None if it raised something."""

    async def call(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, is_async: bool
    ) -> CallEnd[Problem]:
        """Call the function and wait for its end. Raises CancelledError when this is cancelled while a thread runs."""
        prepare()
        routed_streams.enter()
        try:
            if not is_async:
                return await self._in_thread(function, args, kwargs)
            try:
                coroutine = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - this is where the errors of others end, whatever they are
                return CallEnd(self._explain(error))
            return await self._drive(coroutine)
        finally:
            routed_streams.leave()
            standard_descriptors.restore()

    async def _drive(self, coroutine: Any) -> CallEnd[Problem]:
        driver = Driver(coroutine, self._grace)
        timer = None
        if self._timeout is not None:
            timer = asyncio.get_running_loop().call_later(self._timeout, driver.cancel)
        if self._stop is not None:
            self._stop.call(driver.cancel)
        try:
            await driver
            self.ended_at = time.time()
            await asyncio.sleep(0)  # all that begin at one instant begin before the first is wound up
        except BaseException as error:  # noqa: BLE001 - as above
            return end_of(driver, error, self._explain, self._stop)
        finally:
            if self._stop is not None:
                self._stop.forget(driver.cancel)
            if timer is not None:
                timer.cancel()
        return end_of(driver, None, self._explain, self._stop)

    async def _in_thread(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> CallEnd[Problem]:
        loop = asyncio.get_running_loop()
        waiting = _Waiting[Problem](loop)
        context = contextvars.copy_context()

        def job() -> None:
            unfinished, problem = context.run(self._call, function, args, kwargs)
            fork_guard.leave_if_copy(failed=problem is not None)
            waiting.tell_from_thread(unfinished, problem)

        def give_up_later() -> None:
            loop.call_later(self._grace, waiting.give_up)

        timer = None if self._timeout is None else loop.call_later(self._timeout, waiting.give_up)
        if self._stop is not None:
            self._stop.call(give_up_later)
        thread = threads.POOL.submit(job)
        try:
            answer = await waiting.answered
        except asyncio.CancelledError:
            thread.give_up()
            raise
        finally:
            if self._stop is not None:
                self._stop.forget(give_up_later)
            if timer is not None:
                timer.cancel()
        if answer is None:
            thread.give_up()
            return _cut(CallEnd(given_up=True), self._stop)
        return await self._after(*answer)

    async def _after(self, unfinished: Any, problem: Problem | None) -> CallEnd[Problem]:
        """Return how a call in a thread ended, having awaited what it left to be awaited."""
        if unfinished is None:
            end = DONE if problem is None else CallEnd(problem)
            return _cut(end, self._stop) if self._stop is not None and self._stop.requested else end
        if not inspect.isawaitable(unfinished):
            return CallEnd(is_generator=True)
        return await self._drive(_awaiting(unfinished))

    def _call(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, Problem | None]:
        """Call the function in this thread; return what is left to be awaited, and what went wrong."""
        try:
            value = function(*args, **kwargs)
            return (value if _is_unfinished(value) else None), None
        except BaseException as error:  # noqa: BLE001 - as above
            return None, self._explain(error)


def end_of(
    driver: Driver,
    error: BaseException | None,
    explain: Callable[[BaseException], Problem],
    stop: StopRequest | None,
) -> CallEnd[Problem]:
    """Tell how a coroutine ended that was driven, given what awaiting it raised."""
    if error is None:
        end: CallEnd[Problem] = DONE
    elif isinstance(error, GivenUp):
        end = CallEnd(given_up=True)
    else:
        is_cancelled = isinstance(error, asyncio.CancelledError)
        if is_cancelled and driver.disturbed:
            return CallEnd(disturbed=True)
        end = CallEnd() if is_cancelled and driver.cancelled else CallEnd(explain(error))
    return _cut(end, stop) if driver.cancelled else end


def _cut(end: CallEnd[Problem], stop: StopRequest | None) -> CallEnd[Problem]:
    """Tell of a call that was to end early why it was."""
    stopped = stop is not None and stop.requested
    return CallEnd(end.problem, timed_out=not stopped, stopped=stopped, given_up=end.given_up)


class _Waiting(Generic[Problem]):
    """Waits for what a thread answers: what is left to be awaited, and what went wrong; None when it gives up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answered: asyncio.Future[tuple[Any, Problem | None] | None] = loop.create_future()
        self._loop = loop

    def tell_from_thread(self, unfinished: Any, problem: Problem | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._tell, (unfinished, problem))
        except RuntimeError:  # the event loop is closed: nobody waits any more
            return

    def give_up(self) -> None:
        self._tell(None)

    def _tell(self, answer: tuple[Any, Problem | None] | None) -> None:
        if not self.answered.done():
            self.answered.set_result(answer)


_prepared_for: asyncio.AbstractEventLoop | None = None


def prepare() -> None:
    """Do what is to be done once before functions of others run on this event loop."""
    global _prepared_for
    loop = asyncio.get_running_loop()
    if _prepared_for is not loop:
        fork_guard.guard(loop)
        standard_descriptors.protect()
        _prepared_for = loop


OWN_FILES = frozenset({__file__, coroutine_driver.__file__, threads.__file__})
"""Files whose frames in a traceback are ours, and tell nobody anything."""


def _is_unfinished(value: Any) -> bool:
    """Tell whether what a function returned is yet to be run."""
    if value is None:
        return False
    try:
        return inspect.isawaitable(value) or inspect.isgenerator(value) or inspect.isasyncgen(value)
    except Exception:  # noqa: BLE001 - an odd object, which nobody wants anyway
        return False


async def _awaiting(value: Any) -> None:
    await value
