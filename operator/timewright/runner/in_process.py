"""Calls a function of the application.

In this process, unless it asks for one of its own, or has limits that could not be enforced here: only a process can be
ended for certain.
"""

from __future__ import annotations

from timewright.resources.vocabulary import Reason
from timewright.runner.call import Call
from timewright.runner.context import RunContext
from timewright.runner.exception_text import LONGEST_MESSAGE, one_line, traceback_text
from timewright.runner.guarded_call import DONE, OWN_FILES, CallEnd, GuardedCall
from timewright.runner.limits import Limits
from timewright.runner.output import STDERR, Output
from timewright.runner.result import Result, cancelled, disturbed, failed, succeeded
from timewright.runner.stop import StopRequest

_SUCCEEDED = succeeded()


async def run(call: Call, context: RunContext, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Call the function and wait for its end."""
    if _needs_process(call, context, limits):
        from timewright.runner import in_child

        return await in_child.run(call, context, output, stop, limits)

    def explain(error: BaseException) -> Result:
        return failure(error, call.name, output)

    kwargs = {**call.kwargs, **context.parameters} if context.parameters else call.kwargs
    guarded = GuardedCall(explain, grace=limits.grace, timeout=limits.timeout, stop=stop)
    end = await guarded.call(call.function, call.args, kwargs, is_async=call.is_async)
    context.ended = guarded.ended_at
    return result_of(end, call.name, output, stop, limits)


def _needs_process(call: Call, context: RunContext, limits: Limits) -> bool:
    if call.isolated or limits.memory_bytes is not None or context.has_own_variables:
        return True
    return not call.is_async and limits.timeout is not None and not limits.is_deadline


def result_of(end: CallEnd[Result], name: str, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Return what the end of a call means. `name` is that of the function."""
    if end is DONE:
        return _SUCCEEDED
    if end.given_up:
        output.note(f"{name} was given up, since it did not end when it was to; it may still be running")
    if end.disturbed:
        return disturbed()
    if end.stopped:
        return cancelled(stop)
    if end.timed_out:
        return failed(Reason.TIMED_OUT, f"{name} did not finish {limits.within()} and was ended")
    if end.is_generator:
        text = f"{name} is a generator function: to call it runs nothing; make it a plain or an async function"
        return failed(Reason.START_ERROR, text)
    return end.problem or _SUCCEEDED


def failure(error: BaseException, name: str, output: Output) -> Result:
    """Return what an exception of a function means, having printed its traceback."""
    if isinstance(error, SystemExit):
        return _exit(error, name, output)
    output.show(traceback_text(error, OWN_FILES), STDERR)
    return failed(Reason.EXCEPTION, one_line(error))


def _exit(error: SystemExit, name: str, output: Output) -> Result:
    """Read `sys.exit(…)` as the interpreter does: nothing or 0 is success, text goes to stderr and is failure."""
    code = error.code
    if code is None or code == 0:
        return _SUCCEEDED
    if isinstance(code, int):
        return failed(Reason.NON_ZERO_EXIT, f"{name}: sys.exit({code}) was called", code & 0xFF or 1)
    try:
        text = str(code)
    except BaseException:  # noqa: BLE001 - it can be any object
        text = f"sys.exit({type(code).__name__}) was called"
    output.show(f"{text}\n", STDERR)
    return failed(Reason.NON_ZERO_EXIT, f"{name}: {text[:LONGEST_MESSAGE]}", 1)
