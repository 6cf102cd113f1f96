"""The line of a crontab that calls `schedule:run`, quoted for cron and for the shell behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

EVERY_MINUTE = "* * * * *"

COMMAND = ("schedule:run", "--quiet")
"""What went wrong is worth a mail or a line in a log; what ran is in the history."""

LONGEST_COMMAND = 998
"""Bytes. Debian's cron takes no longer command; others take more."""

_PIECES = re.compile(r"[%\\']|[^%\\']+")
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class LineError(ValueError):
    """Something cannot be said in a crontab. The text names what, and the remedy."""


@dataclass(frozen=True, slots=True)
class Call:
    """What the line is to call, and where."""

    directory: str
    """Absolute."""
    program: tuple[str, ...]
    """Words that start the program, without a command of its own."""
    options: tuple[str, ...]
    """Where its tasks and its store are."""
    path: str | None = None
    """PATH for the program and its tasks; None leaves cron's own."""
    environment: tuple[tuple[str, str], ...] = ()
    log: str | None = None
    """File that output is appended to; None leaves it to cron, which mails it."""


def crontab_line(call: Call) -> str:
    """Return the whole line. Raises LineError if cron would not take it."""
    output = "" if call.log is None else f" >> {quote(call.log, 'log')} 2>&1"
    command = shell_command(call, COMMAND) + output
    length = len(command.encode(errors="surrogateescape"))
    if length > LONGEST_COMMAND:
        raise LineError(
            f"the command is {length} bytes long, and some crons take no more than {LONGEST_COMMAND}; "
            "shorten it: --path with the folders that the tasks need, or a script of your own that holds it"
        )
    return f"{EVERY_MINUTE} {command}"


def shell_command(call: Call, command: Iterable[str]) -> str:
    """Return what a shell is told to run that command of the program's, as it stands in a crontab."""
    variables = [*([("PATH", call.path)] if call.path is not None else []), *call.environment]
    for name, _ in variables:
        if not _VARIABLE.fullmatch(name):
            raise LineError(
                f"environment variable {name!r}: expected letters, digits and _, not beginning with a digit"
            )
    words = [f"{name}={quote(value, name)}" for name, value in variables]
    words += [quote(word, "argument") for word in (*call.program, *command, *call.options)]
    return f"cd {quote(call.directory, 'directory')} && {' '.join(words)}"


def quote(word: str, what: str) -> str:
    r"""Quote one word for a shell whose command comes through cron.

    Most crons end the command at a `%` and take `\%` for the character; BusyBox's hands both on as they are. Outside of
    quotes the shell makes `%` of what either leaves. Some crons halve `\\`, others do not: two backslashes never stand
    side by side, nor one before a `%`. Raises LineError for control characters, which no crontab can hold.
    """
    if control := _CONTROL.search(word):
        raise LineError(f"{what} {word!r} holds {control.group()!r}, which a crontab cannot; rename it")
    return "".join(map(_quoted, _PIECES.findall(word))) or "''"


def _quoted(piece: str) -> str:
    if piece == "%":
        return r"\%"
    if piece == "'":
        return '"\'"'
    return piece if _PLAIN.fullmatch(piece) else f"'{piece}'"
