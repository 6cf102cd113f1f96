"""What the tasks of a benchmarked daemon call. It keeps when each call began, and writes it down when told to end."""

from __future__ import annotations

import atexit
import os
import time
from pathlib import Path

from timewright import current_run

_begun: list[float] = []


async def nothing() -> None:
    """Note the time."""
    _begun.append(time.time())


async def named() -> None:
    """Append the task's name and the time to a file at once."""
    run = current_run()
    assert run is not None
    file = os.open(os.environ["BENCH_NAMED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, f"{run.task} {time.time()}\n".encode())
    os.close(file)


def _write_down() -> None:
    Path(os.environ["BENCH_BEGUN"]).write_text("".join(f"{each}\n" for each in _begun))


if "BENCH_BEGUN" in os.environ:
    atexit.register(_write_down)
