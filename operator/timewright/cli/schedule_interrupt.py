"""`timewright schedule:interrupt`: asks for the end of runs that are active, whoever runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from timewright.cli import printing
from timewright.cli.exit_codes import SUCCEEDED, USAGE
from timewright.cli.schedule_command import conclude, wait_for
from timewright.cli.schedule_options import EXIT_CODES, parser_of
from timewright.cli.schedule_source import opened
from timewright.cli.schedule_tasks import find
from timewright.engine.interrupting import Effect, interrupt

if TYPE_CHECKING:
    import argparse

_DESCRIPTION = """\
Ask for the end of the runs that are active, in whatever process, of one task or of all. Each gets SIGTERM within a
second or two, SIGKILL 10 seconds later, and is recorded as Cancelled (Interrupted). Runs that wait for room are
Cancelled at once. The processes that schedule go on: what is due next starts.
"""

_WORDS = {
    Effect.ASKED: "is asked to end",
    Effect.CANCELLED: "waited for room, and is Cancelled",
    Effect.GONE: "is not run by anybody any more; the next schedule:run or schedule:work records it as Lost",
}


def run(arguments: Sequence[str]) -> int:
    """Ask for the end of runs; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("schedule:interrupt", _DESCRIPTION, EXIT_CODES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="of one task only")
    parser.add_argument("--run", metavar="ID", help="only that run, as schedule:history tells its name")
    return parser


def _run(options: argparse.Namespace) -> int:
    here = opened(options, notes=False)
    tasks = here.tasks if options.name is None else [find(here.tasks, options.name)]
    names = {task.key: task.name for task in tasks}
    interrupted = wait_for(interrupt(list(names), here.store, run_id=options.run))
    for each in interrupted:
        printing.write(f"{names[each.task]}: {each.run_id} {_WORDS[each.effect]}\n")
    if interrupted:
        return SUCCEEDED
    if options.run is not None:
        printing.tell(
            f"there is no run {options.run!r} without an outcome; schedule:history --open lists those that there are"
        )
        return USAGE
    printing.write("Nothing is active.\n")
    return SUCCEEDED
