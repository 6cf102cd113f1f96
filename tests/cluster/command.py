"""Runs the host's commands, and says all that is needed when one fails."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster.errors import ClusterError

TAIL_LINES = 40


class CommandError(ClusterError):
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
            process_group=0,
        ) as process,
        _ended_with(process),
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


@contextmanager
def _ended_with(process: subprocess.Popen[str]) -> Iterator[None]:
    """Whoever is interrupted takes the command, with all that it has started, along."""
    try:
        yield
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        raise
