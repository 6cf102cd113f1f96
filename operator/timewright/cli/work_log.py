"""The log of `schedule:work`: lines with their time for people, or a JSON object a line for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from timewright.cli.run_lines import run_line, went_wrong
from timewright.engine.telling import run_document, timestamp
from timewright.runner.live_output import LIVE, Sink
from timewright.runner.output import STDERR, STDOUT
from timewright.runner.standard_descriptors import lasting

if TYPE_CHECKING:
    from timewright.engine.task import Task
    from timewright.storage.records import RunRecord

_TOLD_ONE_BY_ONE = 3
"""So many ticks that a decision ended alike are told one by one."""

Frame = Callable[[int, bytes], bytes]


class WorkLog:
    """Writes without ever waiting for a reader: what cannot be written yet is held back."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        """Write objects or lines; with `quiet` only what a person should look at."""
        self._as_json = as_json
        self._quiet = quiet
        self._sinks = {number: Sink(lasting(number)) for number in (STDOUT, STDERR)}

    def say(self, text: str, **fields: Any) -> None:
        """Tell what this process does."""
        if not self._quiet:
            self._write("info", text, fields)

    def warn(self, text: str) -> None:
        """Tell of trouble."""
        self._write("warning", text, {})

    def outcomes(self, task: Task, runs: Sequence[RunRecord]) -> None:
        """Tell how runs of a task ended; ticks in a row that ended alike are told together."""
        for (outcome, reason), alike in groupby(runs, key=lambda run: (run.outcome, run.reason)):
            same = list(alike)
            if self._as_json or self._quiet or len(same) <= _TOLD_ONE_BY_ONE:
                for run in same:
                    self._outcome(task, run)
            else:
                first, last = timestamp(same[0].scheduled_at), timestamp(same[-1].scheduled_at)
                text = f"{len(same)} ticks from {first} to {last} {outcome} ({reason}): {same[-1].message}"
                self._put(STDOUT, f"{task.name} | timewright: {text}")

    def _outcome(self, task: Task, run: RunRecord) -> None:
        """Tell how a run ended, unless the runner has told it as the last line of the run."""
        is_told = run.started_at is not None and not (self._as_json or self._quiet)
        if is_told or (self._quiet and not went_wrong(run)):
            return
        level = "warning" if went_wrong(run) else "info"
        if self._as_json:
            fields = {"task": task.name, "run": run_document(run)}
            self._write(level, f"{task.name}: {run.outcome}", fields)
        else:
            self._put(STDOUT, f"{task.name} | timewright: {run_line('tick of', run)}")

    def frame(self, name: str) -> Frame:
        """Return what makes a line of the log of a line that a task of that name prints."""
        if self._as_json:
            return lambda descriptor, line: _json_line(name, descriptor, line)
        label = f" {name} | ".encode(errors="replace")
        return lambda descriptor, line: _now().encode() + label + line

    def _write(self, level: str, text: str, fields: dict[str, Any]) -> None:
        if self._as_json:
            document = {"time": _exact_now(), "level": level, "message": text, **fields}
            self._put_raw(STDOUT, json.dumps(document, ensure_ascii=False, default=str))
            return
        for line in text.splitlines():
            self._put(STDERR if level == "warning" else STDOUT, f"timewright: {line}")

    def _put(self, descriptor: int, line: str) -> None:
        self._put_raw(descriptor, f"{_now()} {line}")

    def _put_raw(self, descriptor: int, line: str) -> None:
        LIVE.put(self._sinks[descriptor], f"{line}\n".encode(errors="replace"))


def _json_line(name: str, descriptor: int, line: bytes) -> bytes:
    stream = "stderr" if descriptor == STDERR else "stdout"
    document = {"time": _exact_now(), "level": "info", "task": name, "stream": stream}
    return json.dumps({**document, "message": line.decode(errors="replace")}, ensure_ascii=False).encode()


def _now() -> str:
    return timestamp(int(time.time())) or ""


def _exact_now() -> str:
    return timestamp(time.time()) or ""
