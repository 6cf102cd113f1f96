"""`timewright schedule:run` with a schedule: runs what is due at one minute, and tells how it went."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from timewright.cli import printing
from timewright.cli.exit_codes import usage_error
from timewright.cli.run_lines import counted_line, output_tail, run_lines, summary_line, went_wrong
from timewright.cli.schedule_command import conclude, wait_for
from timewright.cli.schedule_options import EXIT_CODES, add_output, count, parser_of, value
from timewright.cli.schedule_source import Opened, is_named, opened
from timewright.cli.stopping import Stopping
from timewright.cli.times import read_instant
from timewright.engine.session import run_due
from timewright.engine.surroundings import PROCESSES, Surroundings
from timewright.engine.telling import timestamp
from timewright.resources.definition import DEFINITION, RUN_ID, SCHEDULED_AT, nominal_time_from_job_name

if TYPE_CHECKING:
    import argparse

    from timewright.engine.summary import Summary

_AHEAD_SECONDS = 60
"""Clocks of machines that differ by less may still name one another's minutes."""

_DESCRIPTION = f"""\
Run what is due at this minute, wait for it, record it and tell how it went. Call it every minute: from cron, a
systemd timer, a CronJob.

Without --app and -f it runs the one task of the environment variable {DEFINITION}, a ScheduledTask
manifest in JSON, which is what the operator hands to a task's Pod; no other option goes with that.
"""


def run(arguments: Sequence[str]) -> int:
    """Run what is due; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("schedule:run", _DESCRIPTION, EXIT_CODES)
    parser.add_argument(
        "--at",
        type=value(read_instant),
        metavar="TIME",
        help=f"the minute to run, such as 2026-03-08T04:00:00Z; else ${SCHEDULED_AT} says it. Default: this minute",
    )
    parser.add_argument(
        "--parallel",
        type=count,
        default=PROCESSES,
        metavar="N",
        help=f"how many runs that take a thread, a process or a connection are active at once (default: {PROCESSES})",
    )
    parser.add_argument("--quiet", action="store_true", help="print only what went wrong")
    add_output(parser, "text", "json", help="json is for programs; what tasks print then goes to stderr")
    return parser


def _run(options: argparse.Namespace) -> int:
    if not is_named(options) and not os.environ.get(DEFINITION):
        usage_error(
            f"nothing to run: name a schedule with --app MODULE:ATTRIBUTE or manifests with -f FILE; {DEFINITION}, "
            'for one task, is not set either (in a Pod the operator sets it; by hand: "$(kubectl get scheduledtask '
            'NAME -o json)")'
        )
    if not (options.app or options.files) and os.environ.get(DEFINITION):
        usage_error(f"{DEFINITION} is set, and no option goes with it; remove it, or name a schedule with --app or -f")
    here = opened(options, notes=not options.quiet)
    stopping = Stopping()
    summary = wait_for(
        run_due(
            here.tasks,
            here.store,
            at=_nominal_time(options, os.environ),
            surroundings=Surroundings(
                refusal=here.store.unprotected,
                processes=options.parallel,
                live=not options.quiet,
                shown_on=(2, 2) if options.output == "json" else (1, 2),
            ),
            tell=printing.tell,
            on_begin=stopping.begin,
        )
    )
    _print(options, summary, here)
    return stopping.exit_code(summary.exit_code)


def _nominal_time(options: argparse.Namespace, environ: Mapping[str, str]) -> int | None:
    """Return the nominal time in UTC seconds; None for the present minute.

    A Pod may start late. It is told the minute that it was made for, so that it runs what was due then.
    """
    if options.at is not None:
        at: int = options.at
        if at >= time.time() + _AHEAD_SECONDS:
            usage_error(
                f"--at {timestamp(at)} is still to come: what is decided ahead of its time would not happen in it; "
                "name a minute that has begun"
            )
        return at
    told = environ.get(SCHEDULED_AT)
    if told:
        try:
            return read_instant(told)
        except ValueError as error:
            usage_error(f"{SCHEDULED_AT}: {error}, or remove it")
    from_name = nominal_time_from_job_name(environ.get(RUN_ID, ""))
    return None if from_name is None else int(from_name.timestamp())


def _print(options: argparse.Namespace, summary: Summary, here: Opened) -> None:
    if options.output == "json":
        printing.write(json.dumps(summary.to_document(), indent=2, ensure_ascii=False) + "\n")
        return
    names = {task.key: task.name for task in here.tasks}
    lines: list[str] = []
    if options.quiet:
        for run in filter(went_wrong, summary.runs):
            lines += [*run_lines([run], names), *output_tail(run)]
    else:
        lines += run_lines(summary.runs, names) if summary.runs else []
        counted = counted_line(summary)
        lines += [counted] if counted else []
        lines.append(summary_line(summary))
    printing.write("".join(f"{line}\n" for line in lines))
