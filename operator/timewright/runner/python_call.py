"""Runs a Python function, in a child process: only a process can be ended for certain when its time is up."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from timewright.resources.kinds import PythonCall
from timewright.resources.vocabulary import Reason
from timewright.runner.context import RunContext
from timewright.runner.ending import exit_code, result_of, timed_out
from timewright.runner.output import Output
from timewright.runner.process import Limits, ProcessEnd, run_process
from timewright.runner.result import Result, failed, succeeded
from timewright.runner.stop import StopRequest

_CHILD = "timewright.runner.python_child"


async def run(call: PythonCall, context: RunContext, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Call the function and wait until the child process and all that it started have ended."""
    source, sink = os.pipe()
    try:
        end = await run_process(
            # -P: the child's own imports must not be caught by a file of the task named, say, json.py.
            [sys.executable, "-P", "-m", _CHILD],
            # Without a buffer, what is printed appears at once, and nothing is lost when the process is killed.
            environment={"PYTHONUNBUFFERED": "1", **context.environment},
            output=output,
            stop=stop,
            limits=limits,
            standard_input=_request(call, context, sink),
            keep_open=(sink,),
        )
        verdict = _read_verdict(source)
    finally:
        os.close(source)
        os.close(sink)
    return _judge(call, end, verdict, stop, limits, output)


def _request(call: PythonCall, context: RunContext, report_to: int) -> bytes:
    return json.dumps(
        {
            "call": call.call,
            "args": call.args,
            "kwargs": {**call.kwargs, **context.parameters},
            "setup": call.setup,
            "report_to": report_to,
        }
    ).encode()


def _read_verdict(source: int) -> dict[str, Any]:
    """Read what the child told; nothing if it came to no end of its own."""
    os.set_blocking(source, False)
    with contextlib.suppress(BlockingIOError, ValueError):
        verdict = json.loads(os.read(source, 64 * 1024))
        if isinstance(verdict, dict):
            return verdict
    return {}


def _judge(
    call: PythonCall, end: ProcessEnd, verdict: dict[str, Any], stop: StopRequest, limits: Limits, output: Output
) -> Result:
    if end.timed_out and verdict.get("ok"):
        text = f"{call.call} returned, but threads that it started did not end within {limits.timeout:g} s"
        return failed(Reason.TIMED_OUT, f"{text} (spec.timeoutSeconds)", exit_code(end))
    if end.timed_out:
        return timed_out(call.call, end, limits.timeout)
    if end.stopped or not verdict:
        return result_of(call.call, end, stop=stop, timeout=limits.timeout, last_words=output.last_words())
    if "ok" in verdict:
        return succeeded(exit_code=0)
    if "exit" in verdict:
        return failed(Reason.NON_ZERO_EXIT, f"{call.call}: {verdict['message']}", verdict["exit"])
    if "start" in verdict:
        return failed(Reason.START_ERROR, str(verdict["start"]), exit_code(end))
    return failed(Reason.EXCEPTION, str(verdict["exception"]), exit_code(end))
