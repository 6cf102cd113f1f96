"""Runs the host's commands, and says all that is needed when one fails."""

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TAIL_LINES = 40


class CommandError(Exception):
    """A command that the test cluster needs did not succeed."""


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run a command to its end and return its output, both streams together; `env` is added to this process's own."""
    argv = [str(part) for part in command]
    lines: list[str] = []
    with (
        (stdin or Path(os.devnull)).open("rb") as source,
        subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if on_line is not None:
                on_line(line.rstrip("\n"))
    if process.returncode != 0:
        tail = "".join(lines[-TAIL_LINES:])
        raise CommandError(f"{shlex.join(argv)} ended with status {process.returncode}:\n{tail}")
    return "".join(lines)
