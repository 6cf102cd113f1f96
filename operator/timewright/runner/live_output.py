"""Writes what tasks print to this process's own streams, in a thread of its own.

A reader that has stopped reading blocks a write for good. One thread of the process waits for it, in order, while the
event loop goes on watching tasks and the clock.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections import deque

PENDING_BYTES = 4 * 1024 * 1024
"""How much may wait to be written before those who can wait do."""

FLUSH_SECONDS = 5.0
"""How long to wait at the end for a reader that has stopped reading."""

_PIECE_BYTES = 64 * 1024


class Sink:
    """A descriptor to write to."""

    __slots__ = ("broken", "descriptor")

    def __init__(self, descriptor: int) -> None:
        """Write to that descriptor, for as long as somebody reads."""
        self.descriptor = descriptor
        self.broken = False
        """Whether nobody reads any more. What tasks print is still recorded, and they still run."""


class LiveOutput:
    """A queue of bytes to write, and the thread that writes them."""

    def __init__(self) -> None:
        """Begin without a thread."""
        self._changed = threading.Condition()
        self._queue: deque[tuple[Sink, bytes]] = deque()
        self._pending = 0
        self._written = 0
        self._thread: threading.Thread | None = None
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def put(self, sink: Sink, data: bytes) -> None:
        """Have bytes written once all before them are. Returns at once."""
        with self._changed:
            self._queue.append((sink, data))
            self._pending += len(data)
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    @property
    def is_full(self) -> bool:
        """Whether those who can wait should."""
        return self._pending > PENDING_BYTES

    async def room(self) -> None:
        """Wait until there is room for more."""
        if not self.is_full:
            return
        loop = asyncio.get_running_loop()
        with self._changed:
            if not self.is_full:
                return
            ready = loop.create_future()
            self._waiting.append((loop, ready))
        await ready

    def wait_for_room(self) -> None:
        """Wait until there is room for more, in a thread that may be blocked."""
        with self._changed:
            self._changed.wait_for(lambda: not self.is_full)

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until all is written, unless nobody reads anything for that long. Blocks the calling thread."""
        with self._changed:
            while self._pending:
                before = self._written
                if not self._changed.wait_for(lambda: not self._pending or self._written != before, seconds):  # noqa: B023
                    return

    def _start(self) -> None:
        # A daemon thread: the interpreter must not wait for a reader that has stopped reading.
        self._thread = threading.Thread(target=self._write_all, name="timewright-output", daemon=True)
        self._thread.start()
        atexit.register(self.flush)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                sink, data, taken = self._take()
            if not sink.broken:
                try:
                    self._write(sink.descriptor, data)
                except OSError:
                    sink.broken = True
            with self._changed:
                self._pending -= taken
                if not self.is_full:
                    self._wake()
                self._changed.notify_all()

    def _write(self, descriptor: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                written = os.write(descriptor, view[:_PIECE_BYTES])
            except BlockingIOError:
                _wait_until_writable(descriptor)
                continue
            view = view[written:]
            self._written += written

    def _take(self) -> tuple[Sink, bytes, int]:
        """Take what comes first, together with what follows it to the same place."""
        sink, data = self._queue.popleft()
        if not self._queue or self._queue[0][0].descriptor != sink.descriptor:
            return sink, data, len(data)
        pieces = [data]
        size = len(data)
        while self._queue and self._queue[0][0].descriptor == sink.descriptor and size < _PIECE_BYTES:
            sink, data = self._queue.popleft()
            pieces.append(data)
            size += len(data)
        return sink, b"".join(pieces), size

    def _wake(self) -> None:
        for loop, ready in self._waiting:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_set, ready)
        self._waiting.clear()


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _wait_until_writable(descriptor: int) -> None:
    """Wait, for a descriptor that somebody has set non-blocking (terminals share that flag between processes)."""
    import select

    select.select([], [descriptor], [])


LIVE = LiveOutput()
"""The one of this process."""
