"""Runs a definition as a Pod does: in a Python process of its own, with a file for the report."""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timewright.resources.definition import DEFINITION
from timewright.resources.run_report import RunReport

SOURCE = Path(__file__).parents[3] / "operator"
GRACE_SECONDS = 2.0
PATIENCE_SECONDS = 45.0
"""Less than any hostile task lasts, and far more than ending it takes, on a busy machine too."""

TASKS = Path(__file__).parent / "tasks"

# What the console script does, with another place for the report.
_LAUNCHER = """
import asyncio, os, sys
from pathlib import Path
from timewright.cli.leaving import leave
from timewright.cli.pod_run import run_environment
run = run_environment(os.environ, report_path=Path(sys.argv[1]), grace_seconds=float(sys.argv[2]))
leave(asyncio.new_event_loop().run_until_complete(run))
"""


@dataclass(frozen=True)
class Finished:
    exit_code: int
    stdout: str
    stderr: str
    report: RunReport | None
    seconds: float

    @property
    def told(self) -> RunReport:
        assert self.report is not None, self.stdout + self.stderr
        return self.report


def manifest(spec: dict[str, Any], name: str = "nightly") -> str:
    return json.dumps(
        {
            "apiVersion": "timewright.dev/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"schedule": "0 4 * * *", **spec},
        }
    )


def shell(script: str, **spec: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", script], **spec}


def python(code: str, **spec: Any) -> dict[str, Any]:
    return {"command": [sys.executable, "-c", code], **spec}


def call(function: str, *args: Any, **spec: Any) -> dict[str, Any]:
    python_call = {"call": f"hostile:{function}", "args": list(args), "kwargs": spec.pop("kwargs", {})}
    return {"python": python_call, **spec}


@dataclass
class Running:
    process: asyncio.subprocess.Process
    report_path: Path
    started: float

    async def finished(self, within: float = 60) -> Finished:
        out, err = await asyncio.wait_for(self.process.communicate(), within)
        written = self.report_path.read_text() if self.report_path.is_file() else ""
        assert self.process.returncode is not None
        return Finished(
            self.process.returncode,
            out.decode(errors="replace"),
            err.decode(errors="replace"),
            RunReport.from_termination_message(written),
            time.monotonic() - self.started,
        )


async def start(directory: Path, spec: dict[str, Any] | None, env: dict[str, str] | None = None) -> Running:
    report_path = directory / "termination-log"
    report_path.touch()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{SOURCE}{os.pathsep}{TASKS}",
        "TIMEWRIGHT_RUN_ID": "nightly-29123456",
        **({} if spec is None else {DEFINITION: manifest(spec)}),
        **(env or {}),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _LAUNCHER, str(report_path), str(GRACE_SECONDS)),
        env=environment,
        cwd=directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 28,
    )
    return Running(process, report_path, time.monotonic())


async def run(
    directory: Path, spec: dict[str, Any], env: dict[str, str] | None = None, *, within: float = 60
) -> Finished:
    return await (await start(directory, spec, env)).finished(within)


def alive(marker: str) -> list[int]:
    """Return the processes whose command line contains the marker."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                if marker in (entry / "cmdline").read_bytes().decode(errors="replace"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
