"""Tasks that leave a trace of each of their runs: lines in the file that the variable AUDIT_TRACE names.

A line is `start`, and `end` or, where it was told to stop, `stop`; then task, nominal time, id of the run, trigger, a
number of whoever carries it out, and the wall clock's time. Each is one short write to a file that is only appended to,
so lines of many processes never mix.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

from timewright import RunInfo, current_run

VARIABLE = "AUDIT_TRACE"
COMMAND = (
    'trace() { echo "$1 $TIMEWRIGHT_TASK $TIMEWRIGHT_SCHEDULED_AT $TIMEWRIGHT_RUN_ID $TIMEWRIGHT_TRIGGER $$$$'
    ' $(date +%s.%N)" >> "$AUDIT_TRACE"; }; '
)
"""Begins a shell script that says `trace start` and `trace end`. In a task's command `$$$$` stands for `$$`."""

_numbers = itertools.count()


async def quick() -> None:
    """Begin, and end at once."""
    with _traced():
        pass


async def slow(seconds: float) -> None:
    """Begin, and end after a while."""
    with _traced():
        await asyncio.sleep(seconds)


def blocking(seconds: float) -> None:
    """Begin, and end after a while in which nothing else can go on in this thread."""
    with _traced():
        time.sleep(seconds)


async def failing() -> None:
    """Begin, and fail."""
    with _traced():
        raise RuntimeError("as it is meant to")


async def flaky(attempts: int) -> None:
    """Fail in all attempts before that one. Together they leave one trace."""
    run = current_run()
    assert run is not None
    carrier = f"{os.getpid()}.{run.run_id}"
    if run.attempt == 1:
        _trace("start", run, carrier)
    if run.attempt < attempts:
        raise RuntimeError(f"this was attempt {run.attempt}")
    _trace("end", run, carrier)


@contextlib.contextmanager
def _traced() -> Iterator[None]:
    run = current_run()
    assert run is not None
    carrier = f"{os.getpid()}.{next(_numbers)}"
    _trace("start", run, carrier)
    try:
        yield
    except asyncio.CancelledError:
        _trace("stop", run, carrier)
        raise
    except RuntimeError:
        _trace("end", run, carrier)
        raise
    _trace("end", run, carrier)


async def devour(number: int) -> None:
    """Take memory, a piece at a time, for as long as a file beside the trace says so."""
    await quick()
    hoard = []
    while _is_to_devour():
        hoard.append(bytearray(os.urandom(4096) * number))
        await asyncio.sleep(0)


def _is_to_devour() -> bool:
    return Path(os.environ[VARIABLE] + ".devour").exists()


def _trace(what: str, run: RunInfo, carrier: str) -> None:
    at = run.scheduled_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    line = f"{what} {run.task} {at} {run.run_id} {run.trigger} {carrier} {time.time():.6f}\n"
    file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
