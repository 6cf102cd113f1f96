"""Calls an async function on this event loop, where nothing is asked for besides: no limits, hooks or further attempts.

Ten thousand of these may begin in one second. This does what `run`, `in_process` and `guarded_call` do for all kinds of
runs together, with as few objects and as few steps as that takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from timewright.runner import routed_streams, standard_descriptors
from timewright.runner.call import Call
from timewright.runner.context import RunContext
from timewright.runner.coroutine_driver import Driver
from timewright.runner.current_run import CURRENT
from timewright.runner.guarded_call import DONE, CallEnd, end_of, prepare
from timewright.runner.in_process import failure, result_of
from timewright.runner.limits import Limits
from timewright.runner.output import Output
from timewright.runner.result import Result, cancelled, succeeded
from timewright.runner.run_result import RunResult
from timewright.runner.stop import StopRequest

_SUCCEEDED = succeeded()


async def carry_out(
    call: Call, context: RunContext, output: Output, stop: StopRequest, grace_seconds: float
) -> RunResult:
    """Call the function, wait for its end, and tell how it went. Whatever the function does, this returns."""
    prepare()
    result = await carry_out_when(None, _at_once, call, context, output, stop, grace_seconds)
    if result is None:
        raise RuntimeError("what may start at once has to be started")
    return result


async def carry_out_when(
    line: asyncio.Future[None] | None,
    starts: Callable[[], bool],
    call: Call,
    context: RunContext,
    output: Output,
    stop: StopRequest,
    grace_seconds: float,
    task: asyncio.Task[Any] | None = None,
) -> RunResult | None:
    """Do the same once the line is done, with everything made ready before. None if it does not start then.

    `guarded_call.prepare` has to be called first, once for all. `task` is the asyncio task that awaits this, for those
    who know: to ask for it takes as long as all the rest.
    """
    routed_streams.enter()
    token = CURRENT.set(context)
    context.output = output
    began = ended = 0.0
    driver: Driver | None = None
    end: CallEnd[Result] = DONE
    try:
        if line is not None:
            await line
        if not starts():
            return None
        began = time.time()
        if stop.requested:
            return _told(cancelled(stop), output, began, began)
        try:
            kwargs = {**call.kwargs, **context.parameters} if context.parameters else call.kwargs
            driver = Driver(call.function(*call.args, **kwargs), grace_seconds, task)
            stop.call(driver.cancel)
            await driver
            ended = time.time()
            standard_descriptors.restore_soon()
            await asyncio.sleep(0)  # all that begin at one instant begin before the first is wound up
            if driver.cancelled:
                end = _end(driver, None, call, output, stop)
        except BaseException as error:  # noqa: BLE001 - this is where the errors of others end, whatever they are
            standard_descriptors.restore()
            end = _end(driver, error, call, output, stop)
    finally:
        routed_streams.leave()
        output.close()
        CURRENT.reset(token)
    result = _SUCCEEDED if end is DONE else result_of(end, call.name, output, stop, Limits())
    return _told(result, output, began, ended or time.time())


def _at_once() -> bool:
    return True


def _end(
    driver: Driver | None, error: BaseException | None, call: Call, output: Output, stop: StopRequest
) -> CallEnd[Result]:
    def explain(raised: BaseException) -> Result:
        return failure(raised, call.name, output)

    if driver is None:
        return DONE if error is None else CallEnd(explain(error))
    return end_of(driver, error, explain, stop)


def _told(result: Result, output: Output, began: float, ended: float) -> RunResult:
    message = output.masker.mask(result.message) if result.message else ""
    return RunResult(result.outcome, result.reason, message, began, ended, result.exit_code, output.text())
