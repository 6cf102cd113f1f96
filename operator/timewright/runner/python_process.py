"""A Python function in a child process: only a process can be ended for certain when its time is up."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from timewright.resources.vocabulary import Reason
from timewright.runner.context import RunContext
from timewright.runner.ending import ended_by_runner, exit_code, result_of
from timewright.runner.limits import Limits
from timewright.runner.output import Output
from timewright.runner.process import ProcessEnd, run_process
from timewright.runner.result import Result, failed, succeeded
from timewright.runner.stop import StopRequest

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
"""Where this package is. A child may not find it by itself: not everybody's sys.path comes from the environment."""

_CHILD = f"""\
import sys
if {_ROOT!r} not in sys.path:
    sys.path.append({_ROOT!r})
from timewright.runner.python_child import main
main()
"""


async def call_in_process(
    request: dict[str, Any], name: str, context: RunContext, output: Output, stop: StopRequest, limits: Limits
) -> Result:
    """Have the child make a call and wait until it and all that it started have ended.

    `request` is what `python_child` reads, but for `report_to`; `name` is what messages call the function.
    """
    source, sink = os.pipe()
    try:
        end = await run_process(
            # -P: the child's own imports must not be caught by a file of the task named, say, json.py.
            [sys.executable, "-P", "-c", _CHILD],
            # Without a buffer, what is printed appears at once, and nothing is lost when the process is killed.
            environment={"PYTHONUNBUFFERED": "1", **context.environment},
            output=output,
            stop=stop,
            limits=limits,
            standard_input=json.dumps({**request, "report_to": sink}).encode(),
            keep_open=(sink,),
        )
        verdict = _read_verdict(source)
    except (OSError, ValueError) as error:
        return failed(Reason.START_ERROR, f"{name}: cannot start {sys.executable}: {error}")
    finally:
        os.close(source)
        os.close(sink)
    result = _judge(name, end, verdict, stop, limits, output)
    peaks = [each for each in (verdict.get("peak"), end.peak_memory_bytes) if each is not None]
    result.peak_memory_bytes = max(peaks, default=None)
    return result


def _read_verdict(source: int) -> dict[str, Any]:
    """Read what the child told; nothing if it came to no end of its own."""
    os.set_blocking(source, False)
    with contextlib.suppress(BlockingIOError, ValueError):
        verdict = json.loads(os.read(source, 64 * 1024))
        if isinstance(verdict, dict):
            return verdict
    return {}


def _judge(
    name: str, end: ProcessEnd, verdict: dict[str, Any], stop: StopRequest, limits: Limits, output: Output
) -> Result:
    if end.timed_out and verdict.get("ok"):
        text = f"{name} returned, but threads that it started did not end {limits.within()}"
        return failed(Reason.TIMED_OUT, text, exit_code(end))
    if end.timed_out or end.held_bytes is not None:
        return ended_by_runner(name, end, limits)
    if end.stopped or not verdict:
        return result_of(name, end, stop=stop, limits=limits, last_words=output.last_words())
    if "ok" in verdict:
        return succeeded(exit_code=0)
    if "exit" in verdict:
        return failed(Reason.NON_ZERO_EXIT, f"{name}: {verdict['message']}", verdict["exit"])
    if "start" in verdict:
        return failed(Reason.START_ERROR, str(verdict["start"]), exit_code(end))
    return failed(Reason.EXCEPTION, str(verdict["exception"]), exit_code(end))
