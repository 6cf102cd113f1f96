"""`timewright schedule:pause`: lets tasks rest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from timewright.cli import printing
from timewright.cli.exit_codes import SUCCEEDED, usage_error
from timewright.cli.schedule_command import ask, conclude
from timewright.cli.schedule_options import EXIT_CODES, parser_of, value
from timewright.cli.schedule_source import opened
from timewright.cli.schedule_tasks import chosen
from timewright.cli.times import read_duration, read_instant
from timewright.engine.telling import timestamp
from timewright.storage.records import Pause

if TYPE_CHECKING:
    import argparse

_DESCRIPTION = """\
Let tasks rest: their ticks are recorded as Skipped (Suspended) until schedule:resume, or until a time that is given.
What is active goes on, and a run by hand starts all the same. Everyone who shares the store takes note.
"""


def run(arguments: Sequence[str]) -> int:
    """Pause tasks; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("schedule:pause", _DESCRIPTION, EXIT_CODES)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the tasks")
    parser.add_argument("--all", dest="every", action="store_true", help="all tasks of the schedule")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--until", type=value(read_instant), metavar="TIME", help="such as 2026-03-08T04:00:00Z")
    end.add_argument("--for", dest="seconds", type=value(read_duration), metavar="DURATION", help="such as 2h or 1d")
    parser.add_argument("--reason", default="", metavar="TEXT", help="shown by schedule:list")
    return parser


def _run(options: argparse.Namespace) -> int:
    here = opened(options, notes=False)
    tasks = chosen(here.tasks, options.names, every=options.every)
    if options.every:
        tasks = [task for task in tasks if not task.even_when_paused]
    now = int(time.time())
    until = options.until if options.seconds is None else now + options.seconds
    if until is not None and until <= now:
        usage_error(f"--until {timestamp(until)} is past; name a time to come")
    pause = Pause(options.reason, until)

    async def pausing() -> None:
        for task in tasks:
            await here.store.set_pause(task.key, pause)

    ask(here.store, pausing)
    end = "until it is resumed" if until is None else f"until {timestamp(until)}"
    for task in tasks:
        also = "; it is suspended by its declaration, too" if task.suspended else ""
        printing.write(f"{task.name}: paused {end}{also}\n")
    return SUCCEEDED
