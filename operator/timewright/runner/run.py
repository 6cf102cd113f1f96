"""Executes one run: from a definition and the environment to a report."""

from __future__ import annotations

import importlib
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from timewright.resources.model import format_time
from timewright.resources.run_report import RunReport
from timewright.resources.vocabulary import Reason
from timewright.runner.context import RunContext
from timewright.runner.definition import Definition, Kind
from timewright.runner.output import Output
from timewright.runner.process import GRACE_SECONDS, Limits
from timewright.runner.result import Result, failed
from timewright.runner.stop import StopRequest

KINDS: dict[Kind, str] = {
    "command": "timewright.runner.command",
    "http": "timewright.runner.http_request",
    "python": "timewright.runner.python_call",
}
"""The module that runs each kind; imported when the first task of that kind runs."""

Runner: TypeAlias = Callable[[Any, RunContext, Output, StopRequest, Limits], Awaitable[Result]]


async def execute(
    definition: Definition,
    context: RunContext,
    output: Output,
    stop: StopRequest,
    *,
    owns_orphans: bool = False,
    grace_seconds: float = GRACE_SECONDS,
) -> RunReport:
    """Run a task once and tell how it went. Whatever the task does, this returns.

    `owns_orphans` says that this Python process runs this one task and nothing else. `grace_seconds` is how long a task
    that is to stop has between SIGTERM and SIGKILL.
    """
    started, clock = datetime.now(UTC), time.monotonic()
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
    report = RunReport(
        outcome=result.outcome,
        reason=result.reason,
        message=output.masker.mask(result.message),
        exit_code=result.exit_code,
        start_time=started,
        completion_time=datetime.now(UTC),
        output=output.capture.text(),
    )
    await output.say(_summary(report, time.monotonic() - clock))
    return report


def _summary(report: RunReport, seconds: float) -> str:
    """Say how it ended in one line: the last of the log."""
    text = f"{report.outcome} after {seconds:.1f} s"
    if report.reason != Reason.COMPLETED.value:
        text += f" ({report.reason})"
    return f"{text}: {report.message}" if report.message else text
