"""The commands of a schedule as processes, in a folder with an application and a store of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

from tests.unit.runner.harness import SOURCE

PATIENCE_SECONDS = 45.0
NOON = "2026-03-02T12:00:00Z"
"""A minute long past: what is due later in it is not waited for."""

_CODE = "from timewright.cli.main import main; main()"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cli:
    """Runs commands in a folder."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def app(self, code: str, name: str = "shop") -> str:
        """Write an application whose schedule is declared by that code; return what `--app` takes."""
        head = f"import os, sys, time\nfrom timewright import Schedule\nschedule = Schedule({name!r})\n"
        (self.folder / f"{name}.py").write_text(head + dedent(code))
        return name

    def manifest(self, name: str, file: str = "tasks.yaml", **spec: Any) -> str:
        """Write a manifest; return what `-f` takes."""
        task = {"apiVersion": "timewright.dev/v1alpha1", "kind": "ScheduledTask", "metadata": {"name": name}}
        (self.folder / file).write_text(json.dumps({**task, "spec": spec}))
        return file

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables that commands have."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE),
            "HOME": str(self.folder),
            **self.variables,
            **(env or {}),
        }

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-c", _CODE, *arguments],
            env=self.environment(env),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def json(self, *arguments: str, env: Mapping[str, str] | None = None) -> Any:
        """Return what a command prints with `-o json`."""
        done = self(*arguments, "-o", "json", env=env)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def started(self, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Started]:
        """Run a command while the block lasts."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, *arguments],
            env=self.environment(env),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            yield Started(process)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def open_runs(self, *arguments: str) -> list[str]:
        """Return the names of runs that are claimed or active, once there are any."""
        return until(lambda: [run["metadata"]["name"] for run in self.json("schedule:history", "--open", *arguments)])


@dataclass
class Started:
    """A command that runs."""

    process: subprocess.Popen[bytes]
    output: str = ""

    def wait_for(self, text: str) -> None:
        """Read stdout until a text has come."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        descriptor = self.process.stdout.fileno()
        while text not in self.output:
            assert time.monotonic() < deadline, self.output
            if select.select([descriptor], [], [], 0.2)[0]:
                data = os.read(descriptor, 65536)
                assert data, f"ended without {text!r}: {self.output}"
                self.output += data.decode(errors="replace")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit code, and what was printed to stdout and to stderr."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        self.output += out.decode(errors="replace")
        return self.process.returncode, self.output, err.decode(errors="replace")


def until(question: Callable[[], Result]) -> Result:
    """Ask again and again until the answer is true; return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := question()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer
