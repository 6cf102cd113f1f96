"""Runs the Python function that a manifest names, in a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timewright.runner.context import RunContext
from timewright.runner.limits import Limits
from timewright.runner.output import Output
from timewright.runner.python_process import call_in_process
from timewright.runner.result import Result
from timewright.runner.stop import StopRequest

if TYPE_CHECKING:
    from timewright.resources.kinds import PythonCall


async def run(call: PythonCall, context: RunContext, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Call the function and wait until the child process and all that it started have ended."""
    request = {
        "function": call.call,
        "args": call.args,
        "kwargs": {**call.kwargs, **context.parameters},
        "setup": call.setup,
        "is_manifest": True,
    }
    return await call_in_process(request, call.call, context, output, stop, limits)
