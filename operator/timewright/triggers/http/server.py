"""Serves the application on uvicorn, until a signal asks for the end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket

    from starlette.applications import Starlette

    from timewright.triggers.served_tasks import ServedTasks

DRAIN_SECONDS = 25.0
"""Less than the 30 seconds that Kubernetes leaves for it. Docker and Cloud Run leave 10."""

_CONNECTIONS = 200
"""More at once are answered with 503."""


async def serve(application: Starlette, listening: socket.socket, *, drain_seconds: float = DRAIN_SECONDS) -> None:
    """Serve until SIGTERM or SIGINT; then take no more requests, and wait for the runs that are active.

    Those that still are after `drain_seconds`, or at a second signal, are stopped and recorded as Cancelled.
    """
    config = uvicorn.Config(
        application,
        lifespan="on",
        ws="none",
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
    )
    server = _Server(config, application.state.served, drain_seconds)
    await server.serve(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that ends as a process with runs has to."""

    def __init__(self, config: uvicorn.Config, served: ServedTasks, drain_seconds: float) -> None:
        super().__init__(config)
        self._served = served
        self._drain_seconds = drain_seconds

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals on the event loop, and do not raise them again at the end: to be stopped is no failure."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stop, signal.Signals(each).name)
        try:
            yield
        finally:
            for each in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(each)

    def _stop(self, name: str) -> None:
        if self.should_exit:
            self._served.stop_all(f"{name} came for the second time")
            return
        self.should_exit = True
        text = f"{name} came, and the run did not end within {self._drain_seconds:g} s"
        asyncio.get_running_loop().call_later(self._drain_seconds, self._served.stop_all, text)
