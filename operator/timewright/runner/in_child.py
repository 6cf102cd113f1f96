"""Calls a function of the application in a process of its own."""

from __future__ import annotations

import base64
import pickle
import sys

from timewright.resources.vocabulary import Reason
from timewright.runner.call import Call
from timewright.runner.context import RunContext
from timewright.runner.exception_text import one_line
from timewright.runner.limits import Limits
from timewright.runner.output import Output
from timewright.runner.python_process import call_in_process
from timewright.runner.references import NoReferenceError, reference_of
from timewright.runner.result import Result, failed
from timewright.runner.stop import StopRequest


async def run(call: Call, context: RunContext, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Call the function and wait until the child process and all that it started have ended."""
    try:
        reference = reference_of(call)
    except NoReferenceError as error:
        return failed(Reason.INVALID_DEFINITION, str(error))
    try:
        arguments = pickle.dumps((tuple(call.args), {**call.kwargs, **context.parameters}))
    except Exception as error:  # noqa: BLE001 - pickling runs code of the objects' own
        text = f"{call.name}: its arguments cannot be handed to a process of its own: {one_line(error)}"
        return failed(Reason.INVALID_DEFINITION, f"{text}; give it plain values")
    request = {**reference, "pickled": base64.b64encode(arguments).decode(), "path": sys.path}
    return await call_in_process(request, call.name, context, output, stop, limits)
