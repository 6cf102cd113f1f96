"""Executes one run: from a definition and a context to a result, over as many attempts as the policy allows."""

from __future__ import annotations

import asyncio
import importlib
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from timewright.resources.times import format_time
from timewright.resources.vocabulary import Reason
from timewright.runner.context import RunContext
from timewright.runner.definition import Definition, Kind
from timewright.runner.output import Output
from timewright.runner.process import GRACE_SECONDS, Limits
from timewright.runner.result import Result, failed
from timewright.runner.run_result import RunResult
from timewright.runner.stop import StopRequest

KINDS: dict[Kind, str] = {
    "command": "timewright.runner.command",
    "http": "timewright.runner.http_request",
    "python": "timewright.runner.python_call",
    "call": "timewright.runner.in_process",
}
"""The module that runs each kind; imported when the first task of that kind runs."""

Runner: TypeAlias = Callable[[Any, RunContext, Output, StopRequest, Limits], Awaitable[Result]]


async def execute(
    definition: Definition,
    context: RunContext,
    output: Output | None = None,
    stop: StopRequest | None = None,
    *,
    start: asyncio.Event | None = None,
    deadline: float | None = None,
    owns_orphans: bool = False,
    grace_seconds: float = GRACE_SECONDS,
) -> RunResult:
    """Run a task, with further attempts if it fails and may have them, and tell how it went.

    Whatever the task does, this returns. To end it early use `stop`; cancelling it does so only while it waits for
    `start`. Without `output` everything is recorded and nothing shown.

    `start` is waited for once everything is ready, so that many runs can begin at one instant. `deadline` is when this
    has to have returned, in seconds of `time.monotonic()`: no attempt begins that cannot end by then, and one that is
    running is ended a little before. `owns_orphans` says that this Python process runs this one task and nothing else.
    `grace_seconds` is how long a task that is to stop has between SIGTERM and SIGKILL.
    """
    output = output or Output(live=False, says=False)
    stop = stop or StopRequest()
    if start is not None:
        await start.wait()
    started, clock = time.time(), time.monotonic()
    await output.say(
        f"run {context.run_id} of task {definition.name}, nominal time {format_time(context.scheduled_at)}: "
        f"{definition.summary()}"
    )
    limits = Limits(timeout=definition.timeout_seconds, grace=grace_seconds, owns_orphans=owns_orphans)
    try:
        runner: Runner = importlib.import_module(KINDS[definition.kind]).run
        result = await runner(definition.work, context, output, stop, limits)
    except Exception as error:  # noqa: BLE001 - a fault of the runner's own must still be reported
        await output.show(traceback.format_exc())
        result = failed(Reason.EXCEPTION, f"the runner failed: {type(error).__name__}: {error}")
    told = RunResult(
        outcome=result.outcome,
        reason=result.reason,
        message=output.masker.mask(result.message),
        started_at=started,
        finished_at=time.time(),
        exit_code=result.exit_code,
        output=output.capture.text(),
    )
    await output.say(_summary(told, time.monotonic() - clock))
    return told


def _summary(result: RunResult, seconds: float) -> str:
    """Say how it ended in one line: the last of the log."""
    text = f"{result.outcome} after {seconds:.1f} s"
    if result.reason != Reason.COMPLETED.value:
        text += f" ({result.reason})"
    return f"{text}: {result.message}" if result.message else text
