"""What a run prints: passed on live to the runner's own stdout and stderr, masked, and kept for the record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from timewright.runner.capture import Capture
from timewright.runner.live_output import LIVE, Sink
from timewright.runner.masking import NO_SECRETS, Masker, MaskingStream
from timewright.runner.standard_descriptors import lasting

if TYPE_CHECKING:
    from timewright.runner.definition import OutputFile
    from timewright.runner.output_copy import OutputCopy

STDOUT = 1
STDERR = 2

Frame: TypeAlias = Callable[[int, bytes], bytes]
"""Makes of a line that was printed to stdout (1) or stderr (2) what is shown of it; both are without their end."""

_LONGEST_LINE_BYTES = 256 * 1024
"""How much of a line is held back until it ends, where the lines of several runs must not mix."""


class Output:
    """Where the task's output goes. One per run; several threads may use it. Nothing here waits for a reader."""

    __slots__ = (
        "_at_line_start",
        "_copy",
        "_dropped",
        "_frame",
        "_is_closed",
        "_label",
        "_lock",
        "_partial",
        "_record",
        "_sinks",
        "_to",
        "masker",
        "says",
    )

    def __init__(
        self,
        masker: Masker | None = None,
        *,
        label: str | None = None,
        frame: Frame | None = None,
        live: bool = True,
        says: bool = True,
        stdout: int = STDOUT,
        stderr: int = STDERR,
    ) -> None:
        """Write to those file descriptors.

        With a `label` each line begins with it, so that runs side by side can be told apart; a `frame` makes something
        else of it. Without `live` nothing is shown, only recorded; without `says` the runner adds no lines of its own.
        """
        self.masker = masker or NO_SECRETS
        self.says = says and live
        """Whether the runner adds lines of its own."""
        self._label = None if label is None or not live else f"{label} | ".encode(errors="replace")
        self._frame = frame
        self._to = (stdout, stderr) if live else None
        self._lock = threading.Lock()
        self._sinks: dict[int, Sink] = {}
        self._partial: dict[int, bytes] = {}
        self._record: _Record | None = None
        self._copy: OutputCopy | None = None
        self._at_line_start = True
        self._dropped = 0
        self._is_closed = False

    def copy_to(self, file: OutputFile) -> None:
        """Write all that the task prints to a file as well."""
        from timewright.runner.output_copy import OutputCopy

        self._copy = OutputCopy(file)

    def say(self, text: str) -> None:
        """Print a line of the runner's own, which is not part of the task's output."""
        if not self.says:
            return
        line = f"timewright: {self.masker.mask(text)}\n".encode(errors="replace")
        with self._lock:
            self._show(STDOUT, line if self._in_lines() or self._at_line_start else b"\n" + line)

    def note(self, text: str) -> None:
        """Print a line of the runner's own that also belongs in the record."""
        self.say(text)
        with self._lock:
            self._recording().capture.add(f"timewright: {self.masker.mask(text)}\n".encode(errors="replace"))

    def show(self, text: str, descriptor: int = STDOUT) -> None:
        """Print text as the task's output."""
        self.write(descriptor, text.encode(errors="replace"))
        with self._lock:
            self._take(descriptor, self._recording().streams[descriptor].flush())

    def write(self, descriptor: int, data: bytes) -> None:
        """Take what the task printed to stdout (1) or stderr (2)."""
        with self._lock:
            self._take(descriptor, self._recording().streams[descriptor].feed(data))

    def print(self, descriptor: int, data: bytes) -> None:
        """Take what a function in this process prints.

        Where nobody reads as fast as it prints, a thread waits. The event loop does not: what is too much for the
        readers is then recorded, but not shown.
        """
        is_full = LIVE.is_full and self._to is not None
        if self._is_closed:
            self._print_late(descriptor, data)
        elif is_full and _on_event_loop():
            with self._lock:
                self._take(descriptor, self._recording().streams[descriptor].feed(data), shown=False)
        else:
            if is_full:
                LIVE.wait_for_room()
            self.write(descriptor, data)

    async def room(self) -> None:
        """Wait until more can be passed on without holding it all in memory."""
        if self._to is not None:
            await LIVE.room()

    def text(self) -> str:
        """Return what the task has printed in this attempt, readable; a note tells where something was left out."""
        return "" if self._record is None else self._record.capture.text()

    def last_words(self) -> str:
        """Return the last line that the task itself printed in this attempt, on stderr or else on stdout."""
        record = self._record
        return "" if record is None else record.ends[STDERR].last_line() or record.ends[STDOUT].last_line()

    def end_attempt(self) -> None:
        """Let go what was held back, and record what comes now apart from what came before."""
        self.flush()
        self._record = None

    def flush(self) -> None:
        """Let go what was held back: the beginning of what may have been a secret, a line without an end."""
        if self._record is None and not self._partial:
            return
        with self._lock:
            if self._record is not None:
                for descriptor, stream in self._record.streams.items():
                    self._take(descriptor, stream.flush())
            for descriptor, rest in self._partial.items():
                if rest:
                    self._put(descriptor, self._framed(descriptor, rest + b"\n"))
            self._partial.clear()

    def close(self) -> None:
        """End the copy in a file, and tell what could not be written or shown."""
        self.flush()
        self._is_closed = True
        if self._dropped:
            self.say(f"{self._dropped} bytes were recorded but not shown here: nobody read them fast enough")
        if self._copy is not None:
            self._copy.close()
            if self._copy.problem is not None:
                self.note(self._copy.problem)

    def _print_late(self, descriptor: int, data: bytes) -> None:
        """Show what comes from code that has outlived its run; the record is made."""
        masking = self.masker.stream()
        with self._lock:
            if not LIVE.is_full:
                self._show(descriptor, masking.feed(data) + masking.flush())

    def _recording(self) -> _Record:
        if self._record is None:
            self._record = _Record(self.masker)
        return self._record

    def _take(self, descriptor: int, data: bytes, *, shown: bool = True) -> None:
        """Record and pass on bytes that are masked already."""
        if not data:
            return
        record = self._recording()
        record.capture.add(data)
        record.ends[descriptor].add(data)
        if self._copy is not None:
            self._copy.write(data)
        if shown:
            self._show(descriptor, data)
        else:
            self._dropped += len(data)

    def _show(self, descriptor: int, data: bytes) -> None:
        if self._to is None:
            return
        if not self._in_lines():
            self._at_line_start = data.endswith(b"\n")
            self._put(descriptor, data)
            return
        lines = self._partial.get(descriptor, b"") + data
        end = lines.rfind(b"\n") + 1
        whole, self._partial[descriptor] = lines[:end], lines[end:]
        if len(self._partial[descriptor]) > _LONGEST_LINE_BYTES:
            whole, self._partial[descriptor] = lines + b"\n", b""
        if whole:
            self._put(descriptor, self._framed(descriptor, whole))

    def _in_lines(self) -> bool:
        """Tell whether something is added to each line, so that only whole ones are shown."""
        return self._label is not None or self._frame is not None

    def _framed(self, descriptor: int, lines: bytes) -> bytes:
        """Return whole lines as they are shown."""
        if self._frame is not None:
            frame = self._frame
            return b"".join(frame(descriptor, line) + b"\n" for line in lines[:-1].split(b"\n"))
        label = self._label or b""
        return label + lines[:-1].replace(b"\n", b"\n" + label) + b"\n"

    def _put(self, descriptor: int, data: bytes) -> None:
        if self._to is None:
            return
        sink = self._sinks.get(descriptor)
        if sink is None:
            sink = self._sinks[descriptor] = Sink(lasting(self._to[descriptor - 1]))
        if not sink.broken:
            LIVE.put(sink, data)


class _Record:
    """What is kept of one attempt."""

    __slots__ = ("capture", "ends", "streams")

    def __init__(self, masker: Masker) -> None:
        self.capture = Capture()
        self.ends = {number: Capture(head_bytes=0, tail_bytes=2048) for number in (STDOUT, STDERR)}
        self.streams: dict[int, MaskingStream] = {number: masker.stream() for number in (STDOUT, STDERR)}


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
