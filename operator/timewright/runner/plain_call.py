"""Calls an async function on this event loop, where nothing is asked for besides: no limits, hooks or further attempts.

Ten thousand of these may begin in one second. This does what `run`, `in_process` and `guarded_call` do for all kinds of
runs together, with as few objects and as few steps as that takes.
"""

from __future__ import annotations

import asyncio
import time

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
    began = time.time()
    if stop.requested:
        return _told(cancelled(stop), output, began, began)
    prepare()
    routed_streams.enter()
    token = CURRENT.set(context)
    context.output = output
    ended: float | None = None
    driver: Driver | None = None
    end: CallEnd[Result] = DONE
    try:
        kwargs = {**call.kwargs, **context.parameters} if context.parameters else call.kwargs
        driver = Driver(call.function(*call.args, **kwargs), grace_seconds)
        stop.call(driver.cancel)
        await driver
        ended = time.time()
        await asyncio.sleep(0)  # all that begin at one instant begin before the first is wound up
        if driver.cancelled:
            end = _end(driver, None, call, output, stop)
    except BaseException as error:  # noqa: BLE001 - this is where the errors of others end, whatever they are
        end = _end(driver, error, call, output, stop)
    finally:
        routed_streams.leave()
        standard_descriptors.restore()
        output.close()
        CURRENT.reset(token)
    result = _SUCCEEDED if end is DONE else result_of(end, call.name, output, stop, Limits())
    return _told(result, output, began, ended or time.time())


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
