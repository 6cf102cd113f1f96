"""Tasks that leave a trace of each of their runs: lines in the file that the variable AUDIT_TRACE names.

A line is `start` or `end`, then task, nominal time, id of the run, trigger, a number of whoever carries it out, and the
wall clock's time. Each is one short write to a file that is only appended to, so lines of many processes never mix.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from pathlib import Path

from timewright import current_run

VARIABLE = "AUDIT_TRACE"
COMMAND = (
    'trace() { echo "$1 $TIMEWRIGHT_TASK $TIMEWRIGHT_SCHEDULED_AT $TIMEWRIGHT_RUN_ID $TIMEWRIGHT_TRIGGER $$$$'
    ' $(date +%s.%N)" >> "$AUDIT_TRACE"; }; '
)
"""Begins a shell script that says `trace start` and `trace end`. In a task's command `$$$$` stands for `$$`."""

_numbers = itertools.count()


async def quick() -> None:
    """Begin, and end at once."""
    await slow(0.0)


async def slow(seconds: float) -> None:
    """Begin, and end after a while."""
    run = current_run()
    assert run is not None
    carrier = f"{os.getpid()}.{next(_numbers)}"
    at = run.scheduled_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{run.task} {at} {run.run_id} {run.trigger} {carrier}"
    _write(f"start {text} {time.time():.6f}\n")
    if seconds:
        await asyncio.sleep(seconds)
    _write(f"end {text} {time.time():.6f}\n")


async def devour(number: int) -> None:
    """Take memory, a piece at a time, for as long as a file beside the trace says so."""
    await slow(0.0)
    hoard = []
    while _is_to_devour():
        hoard.append(bytearray(os.urandom(4096) * number))
        await asyncio.sleep(0)


def _is_to_devour() -> bool:
    return Path(os.environ[VARIABLE] + ".devour").exists()


def _write(line: str) -> None:
    file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
