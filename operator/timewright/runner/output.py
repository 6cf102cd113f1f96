"""What a run prints: passed on live to the runner's own stdout and stderr, masked, and kept for the record."""

from __future__ import annotations

import asyncio
import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

from timewright.runner.capture import Capture
from timewright.runner.masking import Masker

STDOUT = 1
STDERR = 2


class Output:
    """Where the task's output goes. One per run; not to be used from several threads."""

    def __init__(
        self,
        masker: Masker | None = None,
        *,
        label: str | None = None,
        live: bool = True,
        says: bool = True,
        stdout: int = STDOUT,
        stderr: int = STDERR,
    ) -> None:
        """Write to those file descriptors.

        With a `label` each line begins with it, so that runs side by side can be told apart. Without `live` nothing is
        shown, only recorded; without `says` the runner adds no lines of its own.
        """
        self._label = label
        self._live = live
        self._says = says
        self.masker = masker or Masker()
        self.capture = Capture()
        self._ends = {number: Capture(head_bytes=0, tail_bytes=2048) for number in (STDOUT, STDERR)}
        self._descriptors = {STDOUT: stdout, STDERR: stderr}
        self._broken: set[int] = set()
        self._at_line_start = True
        # A reader that has stopped reading blocks a write for good. One thread waits for it, in order, while the event
        # loop goes on watching the task and the clock.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="output")

    async def say(self, text: str) -> None:
        """Print a line of the runner's own, which is not part of the task's output."""
        if not self._says:
            return
        line = f"timewright: {self.masker.mask(text)}\n"
        await self._write(STDOUT, ("" if self._at_line_start else "\n").encode() + line.encode(errors="replace"))

    async def note(self, text: str) -> None:
        """Print a line of the runner's own that also belongs in the record."""
        await self.say(text)
        self.capture.add(f"timewright: {self.masker.mask(text)}\n".encode(errors="replace"))

    async def show(self, text: str) -> None:
        """Print text as the task's output."""
        stream = OutputStream(self, STDOUT)
        await stream.write(text.encode(errors="replace"))
        await stream.end()

    def stream(self, descriptor: int) -> OutputStream:
        """Begin to take the task's stdout (1) or stderr (2)."""
        return OutputStream(self, descriptor)

    async def take(self, descriptor: int, data: bytes) -> None:
        """Record and pass on bytes that are masked already."""
        if not data:
            return
        self.capture.add(data)
        self._ends[descriptor].add(data)
        await self._write(descriptor, data)

    def last_words(self) -> str:
        """Return the last line that the task itself printed, on stderr or else on stdout."""
        return self._ends[STDERR].last_line() or self._ends[STDOUT].last_line()

    async def _write(self, descriptor: int, data: bytes) -> None:
        if not self._live or descriptor in self._broken:
            return
        self._at_line_start = data.endswith(b"\n")
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._writer, _write_all, self._descriptors[descriptor], data
            )
        except OSError:
            # Nobody listens any more. The task's output is still recorded, and the task still runs.
            self._broken.add(descriptor)


class OutputStream:
    """One of the task's streams on its way through the masks."""

    def __init__(self, output: Output, descriptor: int) -> None:
        """Use `Output.stream`."""
        self._output = output
        self._descriptor = descriptor
        self._masking = output.masker.stream()

    async def write(self, chunk: bytes) -> None:
        """Take a chunk of any size."""
        await self._output.take(self._descriptor, self._masking.feed(chunk))

    async def end(self) -> None:
        """Let go what was held back."""
        await self._output.take(self._descriptor, self._masking.flush())


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(descriptor, view) :]
            continue
        _wait_until_writable(descriptor)


def _wait_until_writable(descriptor: int) -> None:
    """Wait, for a descriptor that somebody has set non-blocking (terminals share that flag between processes)."""
    import select

    select.select([], [descriptor], [])
