"""The commands for people, with help and completion."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from timewright import __version__
from timewright.cli import crontab, schedule_commands
from timewright.cli.cluster import Target
from timewright.cli.exit_codes import INTERRUPTED, CommandError
from timewright.cli.history import Format, History, history
from timewright.cli.leaving import leave
from timewright.cli.run_now import RunNow, run_now
from timewright.cli.serve import serve_command
from timewright.resources.vocabulary import Outcome

app = typer.Typer(
    name="timewright",
    help="Declare what runs and when, once. A colon in a command means this process's schedule, "
    "a bare verb the cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace of the task. Default: that of the context.")
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig. Default: the current one.")]
Kubeconfig = Annotated[str | None, typer.Option(help="Path of the kubeconfig. Default: $KUBECONFIG, ~/.kube/config.")]
TaskName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the ScheduledTask.")]


@app.command("run-now")
def run_now_command(
    name: TaskName,
    namespace: Namespace = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter that the task declares. Repeatable."),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Of the runs of a task with the same key only the first runs.")
    ] = None,
    override: Annotated[bool, typer.Option("--override", help="Run even if concurrencyPolicy forbids it now.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the run's end, and exit 1 unless it succeeds.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Like --wait, and show the run's log.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="How long to wait; then exit 124. The run goes on.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="json", help="Print the TaskRun instead: json.")
    ] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Run a task now, from the template that its schedule uses, and print the name of the TaskRun."""
    if output not in (None, "json"):
        raise typer.BadParameter(f"{output!r} is not json", param_hint="--output")
    if timeout is not None and not (wait or follow):
        raise typer.BadParameter("goes with --wait or --follow", param_hint="--timeout")
    request = RunNow(
        task=name,
        parameters=parameter or [],
        idempotency_key=idempotency_key,
        override=override,
        wait=wait,
        follow=follow,
        timeout=timeout,
        json=output == "json",
    )
    _finish(run_now(Target(namespace, context, kubeconfig), request))


@app.command("history")
def history_command(
    name: TaskName,
    namespace: Namespace = None,
    outcome: Annotated[list[Outcome] | None, typer.Option(help="Only runs that ended so. Repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs to list.")] = 20,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print.")] = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List the runs of a task, the newest first, and its counters."""
    request = History(task=name, outcomes=outcome or (), limit=limit, format=output)
    _finish(history(Target(namespace, context, kubeconfig), request))


@app.command("operator")
def operator_command() -> None:
    """Run the operator. It takes its settings from environment variables (see the chart)."""
    from timewright.controller.operator import main

    sys.exit(main())


@app.command("daemon")
def daemon_command() -> None:
    """Run a TaskDaemon's process. It takes its settings from environment variables (see the operator's Deployment)."""
    from timewright.daemon.main import main

    sys.exit(main())


def _list_own(command: str, help_text: str) -> None:
    """Put a command that reads its own arguments into the list of commands. `timewright.cli.main` calls it directly."""

    def pass_on(context: typer.Context) -> None:
        leave(schedule_commands.run(command, context.args))

    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command(command, help=help_text, context_settings=settings)(pass_on)


for _command, (_, _help) in schedule_commands.COMMANDS.items():
    _list_own(_command, _help)


app.add_typer(crontab.app, name="crontab")
app.command("serve")(serve_command)


@app.command("version")
def version_command() -> None:
    """Print the version."""
    sys.stdout.write(f"timewright {__version__}\n")


def run_app() -> None:
    """Run the command of this process's arguments; does not return."""
    called_as = Path(sys.argv[0]).name
    app(prog_name="kubectl timewright" if called_as.startswith("kubectl-timewright") else "timewright")


def _finish(command: Coroutine[Any, Any, int]) -> None:
    """Run a command to its end and exit with its code; errors become one line on stderr."""
    try:
        code = asyncio.run(command)
    except CommandError as error:
        sys.stderr.write(f"timewright: {error}\n")
        code = error.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough. Nothing more may be written on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    raise typer.Exit(code)
