"""Tries whether an application can be loaded in the environment that cron will give it."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from timewright.triggers.crontab.line import shell_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from timewright.triggers.crontab.line import Call

SECONDS = 120
"""How long an application may take to be loaded."""


class TrialError(Exception):
    """The application cannot be loaded as cron would. The text ends in what was written to stderr."""


def as_handed_to_shell(command: str) -> str:
    r"""Return a command of a crontab as most crons hand it to the shell: with `%` where it says `\%`."""
    return re.sub(r"\\([%\\]|.)", lambda found: "%" if found[1] == "%" else found[0], command)


def load_as_cron_would(call: Call, command: list[str], environment: Mapping[str, str]) -> str:
    """Run a command of the program's as cron would run the line, and return what it prints. Raises TrialError."""
    shell = environment.get("SHELL", "/bin/sh")
    words = [shell, "-c", as_handed_to_shell(shell_command(call, command))]
    try:
        done = subprocess.run(  # noqa: S603
            words, env=environment, cwd=environment.get("HOME", "/"), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TrialError(f"loading the schedule took more than {SECONDS} s") from error
    except OSError as error:
        raise TrialError(f"the shell {shell!r} that the crontab names cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        raise TrialError(os.fsdecode(done.stderr).strip() or f"it ended with exit code {done.returncode}")
    return os.fsdecode(done.stdout).strip()
