"""`timewright schedule:list`: the tasks, when each is due next, and how it went last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from timewright.cli import printing
from timewright.cli.exit_codes import STORE_FAILED, SUCCEEDED
from timewright.cli.schedule_command import ask, conclude
from timewright.cli.schedule_options import EXIT_CODES, add_output, count, parser_of
from timewright.cli.schedule_source import Opened, opened, store_of
from timewright.cli.tables import STYLES, print_table
from timewright.cli.times import distance_in_words
from timewright.cli.words import seconds_in_words
from timewright.resources.times import format_time
from timewright.schedule.listing import ListedTask, list_tasks
from timewright.storage.protocol import StoreError
from timewright.timetable.wording import sentence

if TYPE_CHECKING:
    import argparse

    from timewright.timetable import Schedule as Timetable

_COLUMNS = ("TASK", "SCHEDULE", "NEXT", "LAST", "OUTCOME", "STATE")
_WIDE = (*_COLUMNS, "TIME ZONE", "MEANING", "RUNS")


def run(arguments: Sequence[str]) -> int:
    """List the tasks; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("schedule:list", "List the tasks: when each is due next, and how it went last.", EXIT_CODES)
    parser.add_argument(
        "--next", type=count, default=1, metavar="N", help="how many of the next ticks to show (default: 1)"
    )
    add_output(parser, "text", "wide", "json", help="wide tells more; json is for programs")
    return parser


def _run(options: argparse.Namespace) -> int:
    here = opened(options)
    now = datetime.now(UTC)
    listed, code = _listed(here, now, options.next)
    timetables = {task.key: task.timetable for task in here.tasks}
    if options.output == "json":
        document = [_document(task, timetables[task.key]) for task in listed]
        printing.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return code
    wide = options.output == "wide"
    rows = [_row(task, timetables[task.key], now, wide=wide) for task in listed]
    print_table(_WIDE if wide else _COLUMNS, rows, _style, below="" if rows else "There are no tasks.")
    return code


def _listed(here: Opened, now: datetime, ticks: int) -> tuple[Sequence[ListedTask], int]:
    """Return what is known of the tasks, and the exit code. Without the store that is when they are due, no more."""
    try:
        return ask(here.store, lambda: list_tasks(here.tasks, here.store, now, ticks=ticks)), SUCCEEDED
    except StoreError as error:
        printing.tell(f"{error}\nso what is listed here tells neither of runs nor of pauses")
        memory = store_of("memory:")
        return ask(memory, lambda: list_tasks(here.tasks, memory, now, ticks=ticks)), STORE_FAILED


def _row(task: ListedTask, timetable: Timetable | None, now: datetime, *, wide: bool) -> tuple[str, ...]:
    row = (
        task.name,
        " | ".join(task.expressions) or "by hand",
        ", ".join(_distance(tick, now) for tick in task.next_ticks),
        _distance(task.last_finished_at, now),
        "" if task.last_outcome is None else task.last_outcome.value,
        _state(task, now),
    )
    if not wide:
        return row
    return (*row, task.time_zone, "" if timetable is None else sentence(timetable), task.runs)


def _state(task: ListedTask, now: datetime) -> str:
    states = ["suspended"] if task.suspended else []
    pause = task.pause
    if pause is not None:
        until = "" if pause.until is None else f" for another {seconds_in_words(pause.until - now.timestamp())}"
        states.append(f"paused{until}" + (f": {pause.reason}" if pause.reason else ""))
    if task.active:
        states.append(f"{task.active} active")
    return ", ".join(states)


def _distance(instant: datetime | None, now: datetime) -> str:
    return "" if instant is None else distance_in_words((instant - now).total_seconds())


def _style(column: str, cell: str) -> str:
    if column == "OUTCOME":
        return STYLES.get(cell, "")
    return "yellow" if column == "STATE" and cell.startswith(("suspended", "paused")) else ""


def _document(task: ListedTask, timetable: Timetable | None) -> Mapping[str, Any]:
    pause = task.pause
    return {
        "name": task.name,
        "key": task.key,
        "runs": task.runs,
        "schedules": list(task.expressions),
        "timeZone": task.time_zone,
        "meaning": None if timetable is None else sentence(timetable),
        "nextTicks": [format_time(tick) for tick in task.next_ticks],
        "suspended": task.suspended,
        "paused": None if pause is None else {"reason": pause.reason, "until": _instant(pause.until)},
        "active": task.active,
        "lastOutcome": None if task.last_outcome is None else task.last_outcome.value,
        "lastFinishedAt": None if task.last_finished_at is None else format_time(task.last_finished_at),
    }


def _instant(seconds: int | None) -> str | None:
    return None if seconds is None else format_time(datetime.fromtimestamp(seconds, UTC))
