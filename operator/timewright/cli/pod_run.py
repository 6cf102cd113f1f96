"""Runs the task that the environment hands in, once: what `schedule:run` does in a task's Pod.

Starting up is most of what a small task costs, so this path imports neither typer nor rich, and httpx only for an http
task.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from timewright.cli.exit_codes import RUN_FAILED, SUCCEEDED, USAGE
from timewright.resources.definition import DEFINITION, REPORT_PATH
from timewright.resources.run_report import RunReport
from timewright.resources.vocabulary import Outcome, Reason
from timewright.runner.context import run_context
from timewright.runner.definition import DefinitionError
from timewright.runner.limits import GRACE_SECONDS
from timewright.runner.manifest import parse_definition
from timewright.runner.masking import Masker
from timewright.runner.output import Output
from timewright.runner.process_tree import adopt_orphans
from timewright.runner.report import write_report
from timewright.runner.run import execute
from timewright.runner.stop import StopRequest


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
        output.say(f"{report.reason}: {report.message}")
        _leave(report, report_path, output)
        return USAGE
    output = output or Output(Masker(context.masked))
    stop = StopRequest()
    owns_orphans = definition.kind != "http" and adopt_orphans()
    with stop.on_signals():
        result = await execute(
            definition, context, output, stop, owns_orphans=owns_orphans, grace_seconds=grace_seconds
        )
        report = result.report()
        _leave(report, report_path, output)
    return SUCCEEDED if report.outcome is Outcome.SUCCEEDED else RUN_FAILED


def _leave(report: RunReport, path: Path, output: Output) -> None:
    problem = write_report(report, path)
    if problem is not None:
        output.say(problem)


def _refused(message: str, now: datetime) -> RunReport:
    return RunReport(
        outcome=Outcome.FAILED,
        reason=Reason.INVALID_DEFINITION.value,
        message=message,
        start_time=now,
        completion_time=now,
    )
