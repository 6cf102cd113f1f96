"""`timewright crontab`: has cron call `schedule:run` every minute."""

from __future__ import annotations

import contextlib
import difflib
import getpass
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timewright.cli.exit_codes import CRONTAB_FAILED, USAGE, CommandError, usage_error
from timewright.cli.schedule_options import APP, default_app

if TYPE_CHECKING:
    from timewright.triggers.crontab.line import Call

app = typer.Typer(no_args_is_help=True, help="Have cron call schedule:run every minute.")

_CARRIED_OVER = ("TIMEWRIGHT_STORE", "TIMEWRIGHT_ENVIRONMENT", "XDG_STATE_HOME")
"""Variables of the present shell that the line has too, so that `schedule:list` and cron mean the same store."""

AppOption = Annotated[
    str | None,
    typer.Option("--app", metavar="MODULE:ATTRIBUTE", help=f"The schedule, declared in Python; else ${APP} says it."),
]
Files = Annotated[list[str] | None, typer.Option("--file", "-f", metavar="FILE", help="ScheduledTask manifests.")]
Name = Annotated[
    str | None, typer.Option(help="Name of the block. Default: what --app says, or the path of the first file.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change in the crontab, and change nothing.")]


@app.command("install")
def install_command(
    schedule: AppOption = None,
    file: Files = None,
    store: Annotated[str | None, typer.Option(help="As schedule:run takes it.")] = None,
    name: Name = None,
    directory: Annotated[str | None, typer.Option(metavar="FOLDER", help="Where it runs. Default: here.")] = None,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What its output is appended to; - leaves that to cron, which mails it. "
            "Default: a file in ~/.local/state/timewright.",
        ),
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="PATH for the tasks; an empty one leaves cron's. Default: the present one.")
    ] = None,
    environment: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A variable for the tasks. Repeatable.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Have cron run what is due, every minute: add a line to the crontab, or bring the one there up to date.

    Before that the schedule is loaded in the environment that cron will give it.
    """
    from timewright.triggers.crontab.block import blocks, check_name, with_block
    from timewright.triggers.crontab.line import crontab_line
    from timewright.triggers.crontab.program import read

    with _errors_told():
        source, default_name = _source(schedule, file)
        block = name if name is not None else default_name
        check_name(block)
        call = _call(source, store, directory, log, path, environment, block)
        line = crontab_line(call)
        before = read()
        above = next((each.start for each in blocks(before) if each.name == block), len(before))
        tasks = _tried(call, source, before[:above])
        if re.search(r"://[^/@]*:[^/@]+@", store or dict(call.environment).get("TIMEWRIGHT_STORE", "")):
            sys.stderr.write(
                "timewright: everybody on this machine can read the password of the store while it runs, by `ps`; "
                "better keep it in ~/.pgpass\n"
            )
        if call.log is not None and not dry_run:
            _make_writable(call.log)
        if _applied(before, with_block(before, block, line), dry_run=dry_run):
            _print(f"{block}: cron runs what is due of {tasks}, every minute\n{line}\n")


@app.command("remove")
def remove_command(
    schedule: AppOption = None,
    file: Files = None,
    name: Name = None,
    every: Annotated[bool, typer.Option("--all", help="Remove all of timewright's blocks.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Take a block out of the crontab. Every other line stays as it is."""
    from timewright.triggers.crontab.block import blocks, without_block
    from timewright.triggers.crontab.program import read

    with _errors_told():
        before = read()
        present = list(dict.fromkeys(each.name for each in blocks(before)))
        unwanted = present if every else [_wanted(schedule, file, name) or _only(present)]
        after = before
        for each in unwanted:
            after = without_block(after, each)
        if _applied(before, after, dry_run=dry_run):
            _print("".join(f"{each}: removed\n" for each in unwanted))


@app.command("show")
def show_command(schedule: AppOption = None, file: Files = None, name: Name = None) -> None:
    """Print timewright's lines of the crontab, each below the name of its block."""
    from timewright.triggers.crontab.block import blocks
    from timewright.triggers.crontab.program import read

    with _errors_told():
        wanted = _wanted(schedule, file, name)
        found = [each for each in blocks(read()) if wanted in (None, each.name)]
        for block in found:
            _print("".join(f"{line}\n" for line in (f"# {block.name}", *block.lines)))
        if not found:
            which = "block of timewright's" if wanted is None else f"block {wanted!r}"
            sys.stderr.write(f"timewright: the crontab has no {which}\n")


@app.command("check")
def check_command(schedule: AppOption = None, file: Files = None) -> None:
    """Load the schedule and tell how many tasks it has. `install` does this in the environment that cron gives."""
    from timewright.schedule.errors import DeclarationError, LoadError
    from timewright.schedule.loading import load_app

    with _errors_told():
        reference = _source(schedule, file)[1]
        try:
            if not file:
                number = len(load_app(reference).tasks())
            else:
                from timewright.schedule.manifests import load_manifests

                number = len(load_manifests(file))
        except (LoadError, DeclarationError) as error:
            usage_error(str(error))
        sys.stdout.write("1 task\n" if number == 1 else f"{number} tasks\n")


def _source(schedule: str | None, files: Sequence[str] | None) -> tuple[tuple[str, ...], str]:
    """Return the options that name the tasks, and the default name of their block."""
    if schedule is not None and files:
        usage_error("expected either --app MODULE:ATTRIBUTE or -f FILE, and not both")
    reference = schedule or (None if files else default_app())
    if reference is not None:
        return ("--app", reference), reference
    if not files:
        usage_error("expected --app MODULE:ATTRIBUTE or -f FILE")
    paths = [str(Path(file).absolute()) for file in files]
    return tuple(word for path in paths for word in ("-f", path)), paths[0]


def _wanted(schedule: str | None, files: Sequence[str] | None, name: str | None) -> str | None:
    """Return the name of the block that the options mean, if they mean any."""
    if name is not None:
        return name
    return _source(schedule, files)[1] if schedule is not None or files else None


def _only(present: Sequence[str]) -> str:
    """Return the one block that there is."""
    if len(present) > 1:
        usage_error(f"which block? Say --name with one of {', '.join(map(repr, present))}, or --all")
    return present[0] if present else ""


def _call(
    source: tuple[str, ...],
    store: str | None,
    directory: str | None,
    log: str | None,
    path: str | None,
    environment: Sequence[str] | None,
    block: str,
) -> Call:
    from timewright.triggers.crontab import here
    from timewright.triggers.crontab.line import Call

    variables = {name: os.environ[name] for name in _CARRIED_OVER if os.environ.get(name)}
    if store is not None:
        variables.pop("TIMEWRIGHT_STORE", None)
    for text in environment or []:
        variable, equals, value = text.partition("=")
        if not equals:
            usage_error(f"--env {text}: expected NAME=VALUE")
        variables[variable] = value
    try:
        folder = here.working_directory(directory)
    except NotADirectoryError as error:
        usage_error(f"--directory {directory}: there is no folder {error}")
    program = here.program()
    if path is None:
        path = here.usable_path(os.environ.get("PATH", ""), program[0])
    return Call(
        directory=folder,
        program=program,
        options=source if store is None else (*source, "--store", store),
        path=path or None,
        environment=tuple(variables.items()),
        log=None if log == "-" else str(Path(log or here.default_log(block)).absolute()),
    )


def _tried(call: Call, source: tuple[str, ...], above: str) -> str:
    """Load the tasks as cron would, and return how many there are, in words."""
    from dataclasses import replace

    from timewright.triggers.crontab.environment import cron_environment
    from timewright.triggers.crontab.trial import TrialError, load_as_cron_would

    environment = cron_environment(str(Path.home()), getpass.getuser(), above)
    try:
        return load_as_cron_would(replace(call, options=source), ["crontab", "check"], environment)
    except TrialError as error:
        raise CommandError(
            f"the schedule cannot be loaded in the environment that cron gives; nothing was changed. If a variable is "
            f"missing there, add it with --env NAME=VALUE.\n{error}",
            USAGE,
        ) from error


def _make_writable(log: str) -> None:
    """Make sure that the shell can append to the log: where it cannot, it runs nothing."""
    try:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        Path(log).open("ab").close()
    except OSError as error:
        usage_error(f"--log {log}: cannot be written: {error.strerror}")


def _applied(before: str, after: str, *, dry_run: bool) -> bool:
    """Make the text the crontab, if it is another one; tell whether it is now. A dry run shows the difference."""
    from timewright.triggers.crontab.program import write

    if before == after:
        sys.stdout.write("the crontab needs no change\n")
        return False
    if dry_run:
        old, new = before.split("\n"), after.split("\n")
        _print("\n".join(difflib.unified_diff(old, new, "crontab", "crontab, changed", lineterm="")) + "\n")
        return False
    write(after)
    return True


def _print(text: str) -> None:
    """Write a text to stdout whatever its bytes were."""
    sys.stdout.buffer.write(os.fsencode(text))
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def _errors_told() -> Iterator[None]:
    """End the process with a line on stderr and the exit code of what went wrong."""
    from timewright.triggers.crontab.block import BlockError
    from timewright.triggers.crontab.line import LineError
    from timewright.triggers.crontab.program import CrontabError

    try:
        yield
    except CommandError as error:
        _end(str(error), error.code)
    except (BlockError, LineError) as error:
        _end(str(error), USAGE)
    except CrontabError as error:
        _end(str(error), CRONTAB_FAILED)


def _end(message: str, code: int) -> None:
    sys.stderr.write(f"timewright: {message}\n")
    raise typer.Exit(code)
