"""The pipes that a process writes its output to, and their readers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from types import TracebackType
from typing import Self

from timewright.runner.output import STDERR, STDOUT, Output, OutputStream

DRAIN_SECONDS = 5.0
"""How long to wait for output that is already written, once every process of the task has ended."""

_CHUNK_BYTES = 64 * 1024


class OutputPipes:
    """One pipe each for stdout and stderr. Leaving the context waits for the rest, but not for ever."""

    def __init__(self, output: Output) -> None:
        """Carry what is written to `output`."""
        out_source, self.stdout = os.pipe()
        err_source, self.stderr = os.pipe()
        self._sources = {out_source: output.stream(STDOUT), err_source: output.stream(STDERR)}
        self._sinks = [self.stdout, self.stderr]
        self._readers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Offer `stdout` and `stderr` for a process to inherit."""
        return self

    def start_reading(self) -> None:
        """Begin to read. From here on the process alone holds the writing ends, so that they end with it."""
        self._close_sinks()
        self._readers = [asyncio.ensure_future(_carry(*each)) for each in self._sources.items()]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take what is left in the pipes, unless somebody holds them open, or nobody takes what is passed on."""
        self._close_sinks()
        if self._readers:
            _, unfinished = await asyncio.wait(self._readers, timeout=DRAIN_SECONDS)
            for reader in unfinished:
                reader.cancel()
            await asyncio.gather(*self._readers, return_exceptions=True)
        for source, stream in self._sources.items():
            os.close(source)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stream.end(), DRAIN_SECONDS)

    def _close_sinks(self) -> None:
        while self._sinks:
            os.close(self._sinks.pop())


async def _carry(source: int, stream: OutputStream) -> None:
    os.set_blocking(source, False)
    while True:
        await _readable(source)
        try:
            chunk = os.read(source, _CHUNK_BYTES)
        except BlockingIOError:
            continue
        if not chunk:
            return
        await stream.write(chunk)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
