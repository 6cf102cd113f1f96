"""Calls a function of the application in this process: on the event loop if it is async, else in a thread."""

from __future__ import annotations

import asyncio

from timewright.resources.vocabulary import Reason
from timewright.runner.call import Call
from timewright.runner.context import RunContext
from timewright.runner.current_run import CURRENT
from timewright.runner.output import Output
from timewright.runner.process import Limits
from timewright.runner.result import Result, failed, succeeded
from timewright.runner.stop import StopRequest


async def run(call: Call, context: RunContext, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Call the function and wait for its end."""
    token = CURRENT.set(context)
    kwargs = {**call.kwargs, **context.parameters}
    try:
        if call.is_async:
            await call.function(*call.args, **kwargs)
        else:
            await asyncio.to_thread(call.function, *call.args, **kwargs)
    except Exception as error:  # noqa: BLE001 - this is where a task's errors end
        return failed(Reason.EXCEPTION, f"{type(error).__name__}: {error}")
    finally:
        CURRENT.reset(token)
    return succeeded()
