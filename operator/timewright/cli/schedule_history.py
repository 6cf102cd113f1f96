"""`timewright schedule:history`: the runs that are recorded, the latest first."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from timewright.cli import printing
from timewright.cli.exit_codes import SUCCEEDED
from timewright.cli.run_lines import outcome_of
from timewright.cli.schedule_command import ask, conclude
from timewright.cli.schedule_options import EXIT_CODES, add_output, count, parser_of, value
from timewright.cli.schedule_source import is_named, opened, store_of
from timewright.cli.schedule_tasks import find
from timewright.cli.tables import STYLES, print_table
from timewright.cli.times import duration_in_words, read_duration, read_instant
from timewright.cli.words import first_line
from timewright.engine.telling import run_document, start_delay, timestamp
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import HistoryQuery

if TYPE_CHECKING:
    import argparse

    from timewright.storage.protocol import Store
    from timewright.storage.records import RunRecord, StoredTask

_COLUMNS = ("TASK", "RUN", "SCHEDULED", "DELAY", "DURATION", "TRIGGER", "OUTCOME", "MESSAGE")

_DESCRIPTION = """\
List the runs that are recorded, the latest first: of all tasks, or of one. Times are UTC. Without a schedule it lists
whatever the store holds; a task is then named by its key, SCHEDULE/TASK.
"""


def run(arguments: Sequence[str]) -> int:
    """List the runs; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("schedule:history", _DESCRIPTION, EXIT_CODES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="of one task only")
    parser.add_argument(
        "--outcome",
        action="append",
        default=[],
        choices=list(Outcome),
        type=value(_outcome),
        metavar="OUTCOME",
        help=f"only runs that ended so: {', '.join(Outcome)}; may be given several times",
    )
    parser.add_argument(
        "--since", type=value(_since), metavar="TIME", help="not before that time, or that long ago: 90m, 2h, 7d"
    )
    parser.add_argument("--until", type=value(_since), metavar="TIME", help="before that time, or that long ago")
    parser.add_argument("--open", action="store_true", help="only runs without an outcome: active ones, and in a queue")
    parser.add_argument("--limit", type=count, default=20, metavar="N", help="at most so many (default: 20)")
    add_output(parser, "text", "json")
    return parser


def _run(options: argparse.Namespace) -> int:
    store, keys, names = _looked_for(options)
    query = HistoryQuery(
        tasks=keys,
        outcomes=options.outcome,
        since=options.since,
        until=options.until,
        is_open=True if options.open else None,
        limit=options.limit,
    )

    async def look() -> tuple[Sequence[RunRecord], Mapping[str, StoredTask]]:
        return await store.history(query), await store.load(keys if options.name else ())

    runs, stored = ask(store, look)
    if options.output == "json":
        printing.write(json.dumps([run_document(run) for run in runs], indent=2, ensure_ascii=False) + "\n")
        return SUCCEEDED
    below = [] if runs else ["No runs."]
    if len(runs) == options.limit:
        below.append(f"The latest {len(runs)}; --limit shows more.")
    below += [_counters(names.get(key, key), task) for key, task in stored.items()]
    print_table(_COLUMNS, [_row(run, names) for run in runs], _style, below="\n".join(below))
    return SUCCEEDED


def _looked_for(options: argparse.Namespace) -> tuple[Store, Sequence[str], Mapping[str, str]]:
    """Return the store, the keys of the tasks to list (none: of all that it holds), and their names."""
    if not is_named(options):
        return store_of(options.store), [options.name] if options.name else [], {}
    here = opened(options)
    tasks = here.tasks if options.name is None else [find(here.tasks, options.name)]
    return here.store, [task.key for task in tasks], {task.key: task.name for task in tasks}


def _row(run: RunRecord, names: Mapping[str, str]) -> tuple[str, ...]:
    delay = start_delay(run)
    return (
        names.get(run.task, run.task),
        run.run_id,
        timestamp(run.scheduled_at) or "",
        "" if delay is None else duration_in_words(delay),
        "" if run.started_at is None else duration_in_words((run.finished_at or time.time()) - run.started_at),
        run.trigger.value,
        outcome_of(run),
        first_line(run.message),
    )


def _style(column: str, cell: str) -> str:
    return STYLES.get(cell.partition(" ")[0], "") if column == "OUTCOME" else ""


def _counters(name: str, task: StoredTask) -> str:
    """Say how a task has fared since it was first seen, whatever has been removed from the history."""
    counted = [f"{task.counters[outcome]} {outcome.value}" for outcome in Outcome if task.counters.get(outcome)]
    text = f"{name}: {', '.join(counted) or 'nothing'} since it was first seen"
    return text if task.last_success_at is None else f"{text}; last success {timestamp(task.last_success_at)}"


def _outcome(text: str) -> Outcome:
    for outcome in Outcome:
        if outcome.value.lower() == text.lower():
            return outcome
    raise ValueError(f"{text!r} is no outcome; write one of {', '.join(Outcome)}")


def _since(text: str) -> int:
    try:
        return int(time.time()) - read_duration(text)
    except ValueError:
        pass
    try:
        return read_instant(text)
    except ValueError as error:
        expected = "neither a time, such as 2026-03-08T04:00:00Z, nor a duration, such as 2h"
        raise ValueError(f"{text!r} is {expected}") from error
