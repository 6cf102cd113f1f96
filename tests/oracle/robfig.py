"""Asks robfig/cron v3, the library inside Kubernetes' CronJob controller, through a small Go program kept running.

The zones are sent as the bytes of the TZif files that Python's ``zoneinfo`` reads, so both sides use one version of
the tz database wherever the comparison runs: without that, two correct programs would disagree wherever a government
changed its mind between two releases.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
import os
import shutil
import subprocess
import tempfile
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = Path(__file__).parent
BATCH = 1_000


class Case(NamedTuple):
    """Which ticks come after an instant (UTC seconds)?"""

    expression: str
    zone: str
    after: int
    limit: int = 20
    seconds: bool = False
    """Whether the expression begins with a field for seconds."""


class Answer(NamedTuple):
    """The ticks (UTC seconds) that the library finds, why it rejects the expression, or that it never returns."""

    ticks: list[int]
    rejected: str = ""
    endless: bool = False


def is_available() -> bool:
    """Tell whether a Go toolchain is installed."""
    return shutil.which("go") is not None


class Robfig:
    """One running oracle; use it as a context manager."""

    def __init__(self) -> None:
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def ask(self, cases: Sequence[Case]) -> list[Answer]:
        """Return one answer per case, in order."""
        answers: list[Answer] = []
        while len(answers) < len(cases):
            batch = cases[len(answers) : len(answers) + BATCH]
            answers += [Answer(**answer) for answer in self._send(batch)["answers"]]
            if answers[-1].endless:
                self._stop()
                self._start()
        return answers

    def time(self, cases: Sequence[Case]) -> float:
        """Return the seconds that the library takes for all cases, parsing included, communication left out."""
        return float(self._send(cases, timed=True)["nanoseconds"]) / 1e9

    def _start(self) -> None:
        self._process = subprocess.Popen([built(SOURCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._known = {"UTC"}

    def _stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(timeout=10)

    def _send(self, cases: Sequence[Case], *, timed: bool = False) -> dict[str, Any]:
        for zone in sorted({case.zone for case in cases} - self._known):
            self._exchange({"zone": zone, "data": base64.b64encode(zone_data(zone)).decode()})
            self._known.add(zone)
        return self._exchange({"cases": [case._asdict() for case in cases], "timed": timed})

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
        reply: dict[str, Any] = json.loads(self._process.stdout.readline())
        if error := reply.get("error"):
            raise RuntimeError(f"the oracle failed: {error}")
        return reply


def zone_data(zone: str) -> bytes:
    """Return the TZif file that ``zoneinfo.ZoneInfo(zone)`` reads."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder, zone)
        if path.is_file():
            return path.read_bytes()
    return importlib.resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()


def built(folder: Path) -> Path:
    """Build the Go program of a folder unless this very source has been built before."""
    digest = hashlib.sha256()
    for source in [*sorted(folder.glob("*.go")), folder / "go.mod", folder / "go.sum"]:
        digest.update(source.read_bytes())
    binary = Path(tempfile.gettempdir(), f"timewright-oracle-{os.getuid()}", digest.hexdigest()[:16])
    if not binary.exists():
        binary.parent.mkdir(mode=0o700, exist_ok=True)
        # Several test processes may build at once: each makes its own file and the last rename wins.
        fresh = binary.with_suffix(f".{os.getpid()}")
        subprocess.run(["go", "build", "-o", fresh, "."], cwd=folder, check=True)
        fresh.replace(binary)
    return binary
