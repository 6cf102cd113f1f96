"""`timewright export`: a schedule that Python declares, as manifests for a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from timewright.cli import printing
from timewright.cli.exit_codes import SUCCEEDED, USAGE, CommandError, usage_error
from timewright.cli.schedule_command import conclude
from timewright.cli.schedule_options import APP, default_app
from timewright.schedule.errors import DeclarationError, LoadError

_DESCRIPTION = """\
Print ScheduledTask manifests for a schedule that Python declares, as YAML.
"""

_EPILOG = """\
With --as tasks the cluster schedules and records every task by itself. What no manifest can say is told for each task,
and nothing is printed. With --as app it is one task, which runs what is due every minute by `timewright schedule:run`;
its Pods need a store that they share: set TIMEWRIGHT_STORE in its env.

Exit codes: 0 all is well, 2 the arguments or the schedule are wrong, or a task cannot be expressed.
"""


def run(arguments: Sequence[str]) -> int:
    """Print the manifests; return the exit code."""
    options = _parser().parse_args(arguments)
    return conclude(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="timewright export",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--app", metavar="MODULE:ATTRIBUTE", help=f"a timewright.Schedule; else ${APP} says it")
    parser.add_argument("--image", required=True, help="the container image that has the application, and timewright")
    parser.add_argument("-n", "--namespace", help="where the tasks are to be; left out unless it is given")
    parser.add_argument("--as", dest="form", choices=("tasks", "app"), default="tasks", help="default: tasks")
    return parser


def _run(options: argparse.Namespace) -> int:
    import yaml

    from timewright.schedule.export import ExportError, export_app, export_tasks
    from timewright.schedule.loading import load_app

    app = options.app or default_app()
    if not app:
        usage_error(f"which schedule? Name it with --app MODULE:ATTRIBUTE or the environment variable {APP}")
    try:
        schedule = load_app(app)
        if options.form == "app":
            manifests = [export_app(schedule, image=options.image, namespace=options.namespace)]
        else:
            manifests = export_tasks(schedule, image=options.image, namespace=options.namespace, note=printing.tell)
    except (DeclarationError, LoadError, ExportError) as error:
        raise CommandError(str(error), USAGE) from error
    printing.write(yaml.safe_dump_all(manifests, sort_keys=False, allow_unicode=True, width=120))
    return SUCCEEDED
