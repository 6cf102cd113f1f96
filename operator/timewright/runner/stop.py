"""Requests from outside to stop: SIGTERM from the kubelet, Ctrl-C from a person, a newer run that takes the place."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

from timewright.resources.vocabulary import Reason
from timewright.runner.signals import taken

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequest:
    """Becomes set when the run is to stop. One per run, or shared by all runs of a process; for one event loop."""

    __slots__ = ("_callback", "_callbacks", "message", "reason", "requested")

    def __init__(self) -> None:
        """Begin unset."""
        self.requested = False
        self.reason = Reason.TERMINATED
        """Why the run is to stop, as its record will tell."""
        self.message = ""
        """The same in words."""
        self._callback: Callable[[], None] | None = None
        self._callbacks: dict[Callable[[], None], None] | None = None
        """Those beyond the first, which is the only one of nearly all runs."""

    def request(self, message: str, reason: Reason = Reason.TERMINATED) -> None:
        """Ask to stop; the first request is the one that is told."""
        if self.requested:
            return
        self.requested = True
        self.message = message
        self.reason = reason
        first, self._callback = self._callback, None
        others, self._callbacks = self._callbacks or {}, None
        if first is not None:
            first()
        for callback in others:
            callback()

    def call(self, callback: Callable[[], None]) -> None:
        """Call that when somebody asks to stop; at once if somebody has."""
        if self.requested:
            callback()
        elif self._callback is None:
            self._callback = callback
        elif self._callbacks is None:
            self._callbacks = {callback: None}
        else:
            self._callbacks[callback] = None

    def forget(self, callback: Callable[[], None]) -> None:
        """Do not call that any more."""
        if callback == self._callback:
            self._callback = None
        elif self._callbacks is not None:
            self._callbacks.pop(callback, None)

    async def wait(self) -> None:
        """Wait until somebody asks to stop."""
        event = asyncio.Event()
        self.call(event.set)
        try:
            await event.wait()
        finally:
            self.forget(event.set)

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take the signals that ask a process to stop as requests, within the running event loop."""
        with taken(_SIGNALS, self._on_signal):
            yield

    def _on_signal(self, number: signal.Signals) -> None:
        self.request(f"stopped by {number.name} from outside: its Pod was deleted, evicted or past its deadline")
