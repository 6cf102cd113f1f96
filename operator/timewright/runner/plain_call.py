"""Calls an async function on this event loop, where nothing is asked for besides: no limits, hooks or further attempts.

Ten thousand of these may begin in one second. This does what `run`, `in_process` and `guarded_call` do for all kinds of
runs together, with as few objects and as few steps as that takes; and it comes in two parts, so that all that begin at
one instant begin before the first is wound up.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

from timewright.runner import routed_streams, standard_descriptors
from timewright.runner.call import Call
from timewright.runner.context import RunContext
from timewright.runner.coroutine_driver import Driver
from timewright.runner.current_run import CURRENT
from timewright.runner.guarded_call import DONE, CallEnd, end_of, prepare
from timewright.runner.in_process import failure, result_of
from timewright.runner.limits import Limits
from timewright.runner.output import Output
from timewright.runner.result import Result, succeeded
from timewright.runner.run_result import RunResult
from timewright.runner.stop import StopRequest

_SUCCEEDED = succeeded()
_STOPPED: CallEnd[Any] = CallEnd(stopped=True)


class Called(NamedTuple):
    """A call that has come to its end. `began` and `ended` are seconds since 1970 with fractions."""

    end: CallEnd[Result]
    began: float
    ended: float


async def carry_out(
    call: Call, context: RunContext, output: Output, stop: StopRequest, grace_seconds: float
) -> RunResult:
    """Call the function, wait for its end, and tell how it went. Whatever the function does, this returns."""
    prepare()
    token = CURRENT.set(context)
    try:
        called = await begin(call, context, output, stop, grace_seconds)
    finally:
        CURRENT.reset(token)
    return wind_up(called, call, output, stop)


async def begin(
    call: Call,
    context: RunContext,
    output: Output,
    stop: StopRequest,
    grace_seconds: float,
    task: asyncio.Task[Any] | None = None,
) -> Called:
    """Call the function and wait for its end, whatever that is. `wind_up` has to follow.

    Before, `guarded_call.prepare` has to be called once for all, and the run's context made the current one. `task` is
    the asyncio task that awaits this, for those who know: to ask for it takes as long as all the rest.
    """
    began = time.time()
    if stop.requested:
        return Called(_STOPPED, began, began)
    routed_streams.enter()
    context.output = output
    driver: Driver | None = None
    end: CallEnd[Result] = DONE
    try:
        kwargs = {**call.kwargs, **context.parameters} if context.parameters else call.kwargs
        driver = Driver(call.function(*call.args, **kwargs), grace_seconds, task)
        stop.call(driver.cancel)
        await driver
        ended = time.time()
        standard_descriptors.restore_soon()
        if driver.cancelled:
            end = _end(driver, None, call, output, stop)
    except BaseException as error:  # noqa: BLE001 - this is where the errors of others end, whatever they are
        ended = time.time()
        standard_descriptors.restore()
        end = _end(driver, error, call, output, stop)
    finally:
        routed_streams.leave()
    return Called(end, began, ended)


def wind_up(called: Called, call: Call, output: Output, stop: StopRequest) -> RunResult:
    """Tell how a call went, and close its output."""
    output.close()
    end, began, ended = called
    result = _SUCCEEDED if end is DONE else result_of(end, call.name, output, stop, Limits())
    message = output.masker.mask(result.message) if result.message else ""
    return RunResult(result.outcome, result.reason, message, began, ended, result.exit_code, output.text())


def _end(
    driver: Driver | None, error: BaseException | None, call: Call, output: Output, stop: StopRequest
) -> CallEnd[Result]:
    def explain(raised: BaseException) -> Result:
        return failure(raised, call.name, output)

    if driver is None:
        return DONE if error is None else CallEnd(explain(error))
    return end_of(driver, error, explain, stop)
