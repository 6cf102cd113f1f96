"""Takes signals on an event loop, and goes on taking them although functions of others run there as well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from signal import Signals

_REPEAT_SECONDS = 1.0
"""How long a function that has taken a signal for itself may keep it."""


@contextlib.contextmanager
def taken(signals: Iterable[Signals], take: Callable[[Signals], object]) -> Iterator[None]:
    """Call a function on the running event loop with each of those signals that comes. For the main thread."""
    loop = asyncio.get_running_loop()
    wanted = tuple(signals)
    timer: asyncio.TimerHandle | None = None

    def listen() -> None:
        nonlocal timer
        for each in wanted:
            loop.add_signal_handler(each, take, each)
        timer = loop.call_later(_REPEAT_SECONDS, listen)

    listen()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
        for each in wanted:
            loop.remove_signal_handler(each)
