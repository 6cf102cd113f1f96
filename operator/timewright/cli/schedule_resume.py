"""`timewright schedule:resume`: ends a pause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from timewright.cli import printing
from timewright.cli.exit_codes import SUCCEEDED
from timewright.cli.schedule_command import ask, conclude
from timewright.cli.schedule_options import EXIT_CODES, parser_of
from timewright.cli.schedule_source import opened
from timewright.cli.schedule_tasks import chosen

if TYPE_CHECKING:
    import argparse

    from timewright.storage.records import StoredTask

_DESCRIPTION = """\
Let tasks that were paused run again. What becomes of the ticks meanwhile is what the task's onResume says: by default
they stay Skipped.
"""


def run(arguments: Sequence[str]) -> int:
    """Resume tasks; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("schedule:resume", _DESCRIPTION, EXIT_CODES)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the tasks")
    parser.add_argument("--all", dest="every", action="store_true", help="all tasks of the schedule")
    return parser


def _run(options: argparse.Namespace) -> int:
    here = opened(options, notes=False)
    tasks = chosen(here.tasks, options.names, every=options.every)

    async def resuming() -> Mapping[str, StoredTask]:
        stored = await here.store.load([task.key for task in tasks])
        for key, known in stored.items():
            if known.pause is not None:
                await here.store.set_pause(key, None)
        return stored

    stored = ask(here.store, resuming)
    for task in tasks:
        what = "was not paused" if stored[task.key].pause is None else "resumed"
        also = "; it is suspended by its declaration, which only a change there ends" if task.suspended else ""
        printing.write(f"{task.name}: {what}{also}\n")
    return SUCCEEDED
