"""`timewright schedule:run`: runs the task that is handed in, once. This is what a task's Pod does.

Starting up is most of what a small task costs, so this path imports neither typer nor rich, and httpx only for an http
task.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from timewright.resources.definition import DEFINITION, REPORT_PATH
from timewright.resources.run_report import RunReport
from timewright.resources.vocabulary import Outcome, Reason
from timewright.runner.context import run_context
from timewright.runner.definition import DefinitionError
from timewright.runner.manifest import parse_definition
from timewright.runner.masking import Masker
from timewright.runner.output import Output
from timewright.runner.process import GRACE_SECONDS
from timewright.runner.process_tree import adopt_orphans
from timewright.runner.report import write_report
from timewright.runner.run import execute
from timewright.runner.stop import StopRequest

SUCCEEDED = 0
FAILED = 1
USAGE = 2

HELP = f"""\
usage: timewright schedule:run

Run a task once: the ScheduledTask manifest, as JSON, in the environment variable {DEFINITION}.
In a Pod the operator hands it in; by hand:

  {DEFINITION}="$(kubectl get scheduledtask NAME -o json)" timewright schedule:run

Exit codes: 0 the task succeeded, 1 it did not, 2 there is no definition or it cannot be run.
"""


def run(arguments: Sequence[str]) -> int:
    """Run the task of the environment; return the exit code. For a process that does nothing else."""
    if arguments:
        if arguments[0] in ("-h", "--help"):
            sys.stdout.write(HELP)
            return SUCCEEDED
        sys.stderr.write(f"timewright schedule:run: unexpected argument {arguments[0]!r}\n\n{HELP}")
        return USAGE
    if not os.environ.get(DEFINITION):
        sys.stderr.write(f"timewright schedule:run: nothing to run: {DEFINITION} is not set\n\n{HELP}")
        return USAGE
    # Not asyncio.run(): on its way out that waits for threads, and one may hang for good (see `leave`).
    return asyncio.new_event_loop().run_until_complete(run_environment(os.environ))


async def run_environment(
    environ: Mapping[str, str],
    *,
    output: Output | None = None,
    report_path: Path = Path(REPORT_PATH),
    grace_seconds: float = GRACE_SECONDS,
) -> int:
    """Run the task that the environment describes, report how it went, and return the exit code."""
    started = datetime.now(UTC)
    try:
        definition = parse_definition(environ[DEFINITION])
        context = run_context(definition, environ, started)
    except DefinitionError as error:
        report = _refused(str(error), started)
        output = output or Output()
        await output.say(f"{report.reason}: {report.message}")
        await _leave(report, report_path, output)
        return USAGE
    output = output or Output(Masker(context.masked))
    stop = StopRequest()
    owns_orphans = definition.kind != "http" and adopt_orphans()
    with stop.on_signals():
        result = await execute(
            definition, context, output, stop, owns_orphans=owns_orphans, grace_seconds=grace_seconds
        )
        report = result.report()
        await _leave(report, report_path, output)
    return SUCCEEDED if report.outcome is Outcome.SUCCEEDED else FAILED


async def _leave(report: RunReport, path: Path, output: Output) -> None:
    problem = write_report(report, path)
    if problem is not None:
        await output.say(problem)


def _refused(message: str, now: datetime) -> RunReport:
    return RunReport(
        outcome=Outcome.FAILED,
        reason=Reason.INVALID_DEFINITION.value,
        message=message,
        start_time=now,
        completion_time=now,
    )


def leave(code: int) -> NoReturn:
    """End this process at once.

    The interpreter's own way out would wait for threads: one may hang in a name look-up or in writing to a reader that
    has stopped reading.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
