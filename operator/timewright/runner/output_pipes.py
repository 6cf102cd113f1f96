"""The pipes that a process writes its output to, and their readers."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import Self

from timewright.runner.output import STDERR, STDOUT, Output

DRAIN_SECONDS = 5.0
"""How long to wait for output that is already written, once every process of the task has ended."""

_CHUNK_BYTES = 64 * 1024


class OutputPipes:
    """One pipe each for stdout and stderr. Leaving the context waits for the rest, but not for ever."""

    def __init__(self, output: Output) -> None:
        """Carry what is written to `output`."""
        out_source, self.stdout = os.pipe()
        err_source, self.stderr = os.pipe()
        for source in (out_source, err_source):
            os.set_blocking(source, False)
        self._output = output
        self._sources = {out_source: STDOUT, err_source: STDERR}
        self._sinks = [self.stdout, self.stderr]
        self._readers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Offer `stdout` and `stderr` for a process to inherit."""
        return self

    def start_reading(self) -> None:
        """Begin to read. From here on the process alone holds the writing ends, so that they end with it."""
        self._close_sinks()
        self._readers = [asyncio.ensure_future(self._carry(*each)) for each in self._sources.items()]

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
        for source in self._sources:
            os.close(source)
        self._output.flush()

    def _close_sinks(self) -> None:
        while self._sinks:
            os.close(self._sinks.pop())

    async def _carry(self, source: int, descriptor: int) -> None:
        while True:
            await _readable(source)
            try:
                chunk = os.read(source, _CHUNK_BYTES)
            except BlockingIOError:
                continue
            if not chunk:
                return
            self._output.write(descriptor, chunk)
            await self._output.room()


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
