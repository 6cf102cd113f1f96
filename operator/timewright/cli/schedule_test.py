"""`timewright schedule:test`: runs a task now to see what it does; a person may pick it from a list."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from timewright.cli import printing
from timewright.cli.exit_codes import usage_error
from timewright.cli.schedule_command import conclude
from timewright.cli.schedule_options import EXIT_CODES, parser_of
from timewright.cli.schedule_run_now import add_parameters, parameters, run_task
from timewright.cli.schedule_source import opened
from timewright.cli.schedule_tasks import find
from timewright.engine.by_hand import Request

if TYPE_CHECKING:
    import argparse

    from timewright.engine.task import Task

_DESCRIPTION = """\
Run a task now and see its output. It runs for real, even beside a run that is active, and is recorded as Manual.
Without a name, a terminal offers the tasks to pick from.
"""


def run(arguments: Sequence[str]) -> int:
    """Run a task; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("schedule:test", _DESCRIPTION, EXIT_CODES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the task")
    add_parameters(parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    here = opened(options)
    task = find(here.tasks, options.name) if options.name is not None else _picked(here.tasks)
    request = Request(parameters(task, options), override=True)
    return run_task(task, request, here.store, as_json=False)


def _picked(tasks: Sequence[Task]) -> Task:
    """Let a person pick a task. Raises CommandError where there is no person, or nothing to pick from."""
    if not tasks:
        usage_error("there are no tasks")
    names = [task.name for task in tasks]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        usage_error(f"which task? Name one of {', '.join(names)}")
    for number, task in enumerate(tasks, 1):
        printing.write(f"{number:4}  {task.name}  {task.definition.summary()}\n")
    while True:
        try:
            answer = input("Which task? Its number or name: ").strip()
        except EOFError:
            usage_error("no task was picked")
        if answer.isascii() and answer.isdecimal() and 1 <= int(answer) <= len(tasks):
            return tasks[int(answer) - 1]
        if answer in names:
            return find(tasks, answer)
        printing.write(f"{answer!r} is not among them.\n")
