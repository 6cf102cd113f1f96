"""Requests from outside to stop: SIGTERM from the kubelet, Ctrl-C from a person."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequest:
    """Becomes set when the run is to stop. One per run, or shared by all runs of a process."""

    def __init__(self) -> None:
        """Begin unset."""
        self._event = asyncio.Event()
        self.signal_name: str | None = None

    def request(self, signal_name: str) -> None:
        """Ask to stop; the first request is the one that is told."""
        self.signal_name = self.signal_name or signal_name
        self._event.set()

    async def wait(self) -> None:
        """Wait until somebody asks to stop."""
        await self._event.wait()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take the signals that ask a process to stop as requests, within the running event loop."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.request, number.name)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
