"""What the exit codes of the commands that speak to something outside mean."""

from __future__ import annotations

from typing import NoReturn

SUCCEEDED = 0
"""Done; with --wait or --follow: the run succeeded."""

RUN_FAILED = 1
"""The run ended with any other outcome than Succeeded, or was deleted."""

USAGE = 2
"""The arguments are wrong: no such option, task or parameter."""

CLUSTER_FAILED = 3
"""The cluster cannot be reached, or refused a request."""

CRONTAB_FAILED = 3
"""`timewright crontab`: there is no program of that name, or it refused."""

STORE_FAILED = 3
"""The commands of a schedule: the store cannot be used, or a task was refused that needs one that all share."""

SERVE_FAILED = 3
"""`timewright serve`: it cannot listen where it was told to, or what it needs is not installed."""

TIMED_OUT = 124
"""--timeout passed before the run ended; the run goes on. The code is that of coreutils' `timeout`."""

INTERRUPTED = 130
"""Ctrl-C; a run that was started goes on."""


def by_signal(number: int) -> int:
    """Return the exit code of a process that a signal ended, as shells tell it."""
    return 128 + number


class CommandError(Exception):
    """Ends a command with a message for a person and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def usage_error(message: str) -> NoReturn:
    """End the command because of its arguments."""
    raise CommandError(message, USAGE)
