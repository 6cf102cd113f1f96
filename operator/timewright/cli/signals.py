"""Takes signals on the event loop, and breaks into a coroutine that keeps the loop from taking them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

_BLOCKED_SECONDS = 5.0
"""How long a coroutine may keep a signal from being taken."""

_IMPATIENT_SECONDS = 1.0
"""The same when the signal comes a second time."""

_REPEAT_SECONDS = 1.0
"""How long a coroutine that has taken a signal for itself keeps it."""


class BlockingError(KeyboardInterrupt):
    """Raised in a coroutine that blocks the event loop. Not an Exception, so that hardly any code goes on after it."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(
            f"{number.name} could not be taken, since a coroutine blocked the event loop; let it await, or make it a "
            "plain function, which runs in a thread"
        )


class SignalTaker:
    """Has a function called on the event loop for each signal that comes.

    Python handles a signal in the main thread, on which the loop runs, between two steps of whatever runs there. So a
    coroutine that blocks can be reached.
    """

    def __init__(self, take: Callable[[signal.Signals], None], numbers: tuple[signal.Signals, ...]) -> None:
        """Take those signals from now on, by the event loop that is running in this, the main thread."""
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._waiting_since: float | None = None
        self._main = threading.main_thread().ident or 0
        self._numbers = numbers
        self._listen()

    def _listen(self) -> None:
        """Take the signals, and take them again and again: a coroutine of a task may take them for itself."""
        for number in self._numbers:
            signal.signal(number, self._on_signal)
        self._loop.call_later(_REPEAT_SECONDS, self._listen)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        since, self._waiting_since = self._waiting_since, self._waiting_since or now
        if since is not None and now - since >= _IMPATIENT_SECONDS:
            self._waiting_since = now
            raise BlockingError(signal.Signals(number))
        if since is None:
            self._remind(number)
        with contextlib.suppress(RuntimeError):  # the loop is closed: all is over
            self._loop.call_soon_threadsafe(self._taken, signal.Signals(number))

    def _taken(self, number: signal.Signals) -> None:
        self._waiting_since = None
        self._take(number)

    def _remind(self, number: int) -> None:
        """Send the signal again if it is not taken in time, as often as that takes."""

        def remind() -> None:
            while True:
                time.sleep(_BLOCKED_SECONDS)
                if self._waiting_since is None:
                    return
                signal.pthread_kill(self._main, number)

        threading.Thread(target=remind, name="timewright-signal", daemon=True).start()
