"""Work that goes on beside something else for as long as that lasts. No fault of its own ends it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeAlias

Lasting: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Begins work that lasts until it is cancelled, or until nothing is left to do."""

RESTART_SECONDS = 1.0
"""How long after a fault work begins anew."""


@contextlib.asynccontextmanager
async def beside(work: Iterable[Lasting], tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Have several things done for as long as the context lasts. `tell` takes a line for a person about each fault."""
    doing = [asyncio.ensure_future(keep_going(each, tell)) for each in work]
    try:
        yield
    finally:
        for each in doing:
            each.cancel()
        await asyncio.gather(*doing, return_exceptions=True)


async def keep_going(work: Lasting, tell: Callable[[str], None]) -> None:
    """Do something to its end. Where a fault ends it before, tell of that, and begin anew a moment later."""
    while True:
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - whatever it is: a process that seems to live must not be deaf or mute
            tell(f"timewright failed, and goes on: {told(error)}")
        await asyncio.sleep(RESTART_SECONDS)


def told(error: BaseException) -> str:
    """Return what a person needs to report a fault of ours: what it was, and where."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = "" if last is None else f" (line {last.tb_lineno} of {last.tb_frame.f_code.co_filename})"
    return f"{type(error).__name__}: {error}{place}"
