"""`timewright schedule:run-now`: runs a task now, in this process, and waits for its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from timewright.cli import printing
from timewright.cli.exit_codes import RUN_FAILED, STORE_FAILED, SUCCEEDED, usage_error
from timewright.cli.run_lines import run_line
from timewright.cli.schedule_command import conclude, wait_for
from timewright.cli.schedule_options import EXIT_CODES, add_output, parser_of
from timewright.cli.schedule_source import opened
from timewright.cli.schedule_tasks import find
from timewright.cli.stopping import Stopping
from timewright.engine.by_hand import InvalidParametersError, Request
from timewright.engine.session import run_now
from timewright.engine.surroundings import Surroundings
from timewright.engine.telling import run_document
from timewright.resources.vocabulary import Outcome, Reason

if TYPE_CHECKING:
    import argparse

    from timewright.engine.task import Task
    from timewright.storage.protocol import Store
    from timewright.storage.records import RunRecord

_DESCRIPTION = """\
Run a task now, whether or not it is due, paused or suspended, and wait for its end. It is recorded as Manual.
"""


def run(arguments: Sequence[str]) -> int:
    """Run a task; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    epilog = f"Exit code 1 also when it was Skipped because of a run that is active.\n\n{EXIT_CODES}"
    parser = parser_of("schedule:run-now", _DESCRIPTION, epilog)
    parser.add_argument("name", metavar="NAME", help="the task")
    add_parameters(parser)
    parser.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help="of the requests for a task with the same key the first one runs; the others tell how that went",
    )
    parser.add_argument(
        "--override", action="store_true", help="run even if the task's policy for overlaps forbids it now"
    )
    add_output(parser, "text", "json", help="json is for programs; what the task prints then goes to stderr")
    return parser


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Add the options that give a run its parameters."""
    parser.add_argument(
        "-p",
        "--parameter",
        dest="given",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, read by its declared type; may be given several times",
    )
    parser.add_argument("--parameters", metavar="JSON", help="parameters as a JSON object; -p goes before it")


def _run(options: argparse.Namespace) -> int:
    here = opened(options)
    request = Request(parameters(find(here.tasks, options.name), options), options.idempotency_key, options.override)
    return run_task(find(here.tasks, options.name), request, here.store, as_json=options.output == "json")


def run_task(task: Task, request: Request, store: Store, *, as_json: bool) -> int:
    """Run a task, show its output, tell how it went, and return the exit code. Raises CommandError and StoreError."""
    stopping = Stopping()
    surroundings = Surroundings(refusal=store.unprotected, shown_on=(2, 2) if as_json else (1, 2))
    try:
        record = wait_for(
            run_now(task, request, store, surroundings=surroundings, tell=printing.tell, on_begin=stopping.begin)
        )
    except InvalidParametersError as error:
        usage_error(str(error).replace("spec.parameters.", "--parameter ", 1))
    document = json.dumps(run_document(record), indent=2, ensure_ascii=False)
    printing.write(f"{document if as_json else run_line(task.name, record)}\n")
    return stopping.exit_code(_exit_code(record))


def parameters(task: Task, options: argparse.Namespace) -> Mapping[str, Any]:
    """Return the values of the options, by the types that the task declares. Raises CommandError."""
    definition = task.definition
    values = _object(options.parameters)
    if definition.kind == "call" and not definition.parameters:
        from timewright.cli.call_parameters import check_call, parse_call_parameters

        values.update(parse_call_parameters(definition.work, options.given))  # type: ignore[arg-type]
        check_call(definition.work, values)  # type: ignore[arg-type]
        return values
    from timewright.cli.parameters import parse_parameters

    values.update(parse_parameters(definition.parameters, options.given, values))
    return values


def _object(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        read = json.loads(text)
    except ValueError as error:
        usage_error(f"--parameters {text}: is not JSON: {error}")
    if not isinstance(read, dict):
        usage_error(f'--parameters {text}: expected a JSON object, such as {{"month": "2026-11"}}')
    return read


def _exit_code(record: RunRecord) -> int:
    if record.outcome is Outcome.SUCCEEDED:
        return SUCCEEDED
    return STORE_FAILED if record.reason == Reason.UNPROTECTED.value else RUN_FAILED
