"""Functions that the daemon's tests run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from timewright.runner.current_run import current_run

started: list[tuple[str, int]] = []
"""Task and nominal time of each call."""


async def note(**_: object) -> None:
    """Say that it was called."""
    run = current_run()
    assert run is not None
    started.append((run.task, int(run.scheduled_at.timestamp())))


async def fail(**_: object) -> None:
    """Say so, and fail."""
    await note()
    raise ValueError("as it should")


async def long(**_: object) -> None:
    """Say so, and take two seconds."""
    await note()
    await asyncio.sleep(2)


async def endless(**_: object) -> None:
    """Say so, and never end."""
    await note()
    await asyncio.sleep(3600)


is_released = asyncio.Event()


async def wait_for_release() -> None:
    """Write down, and end once somebody says so."""
    await note()
    await is_released.wait()


async def take_a_moment() -> None:
    """Write down, and end a moment later."""
    await note()
    await asyncio.sleep(0.4)


def write_environment(path: str) -> None:
    """Write down what this process sees, from one of its own since it is no coroutine."""
    new = Path(f"{path}.new")
    new.write_text("".join(f"{name}={value}\n" for name, value in os.environ.items()))
    new.rename(path)


at_end: list[Callable[[], None]] = []


async def last() -> None:
    """Write down, and do what somebody wants to be done once another second has just begun."""
    await note()
    await asyncio.sleep(1.002 - time.time() % 1)
    for each in at_end:
        each()


async def block(path: str, seconds: float) -> None:
    """Write down in which process it runs, and keep everybody else in it from going on."""
    with Path(path).open("a") as file:  # noqa: ASYNC230 - that is the point
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)  # noqa: ASYNC251 - that is the point


async def block_in_a_part(path: str, seconds: float) -> None:
    """Do the same in one of the coroutines that it waits for."""
    await asyncio.gather(block(path, seconds), asyncio.sleep(0))


async def block_stubbornly(path: str) -> None:
    """Do the same for ever, whatever happens."""
    while True:
        with contextlib.suppress(Exception):
            await block(path, 3600)
