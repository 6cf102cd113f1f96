"""Leads what a function prints to its run, although all functions of a process share `sys.stdout` and `sys.stderr`.

Which run it is follows from the context of the code that prints (`contextvars`): asyncio's tasks and `to_thread`
inherit it, a bare `threading.Thread` does not. Outside of any run, and in copies of the process, everything goes to the
original streams.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from timewright.runner.current_run import CURRENT
from timewright.runner.fork_guard import in_copy
from timewright.runner.output import STDERR, STDOUT, Output


class RoutedStream(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr`."""

    def __init__(self, original: TextIO | None, descriptor: int) -> None:
        """Lead to that stream whatever belongs to no run; None where the process has none."""
        self._original = original
        self._descriptor = descriptor

    def write(self, text: str, /) -> int:
        """Write to the run's output."""
        output = self._output()
        if output is None:
            return len(text) if self._original is None else self._original.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        output.print(self._descriptor, text.encode("utf-8", "backslashreplace"))
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override]
        """Write several texts to the run's output."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what the original stream holds back; of a run nothing is held back."""
        if self._output() is None and self._original is not None:
            self._original.flush()

    def close(self) -> None:
        """Close the stream for this run alone."""
        context = CURRENT.get()
        if context is not None and context.output is not None:
            context.closed_streams |= 1 << self._descriptor

    @property
    def closed(self) -> bool:
        """Whether this run has closed it."""
        context = CURRENT.get()
        if context is not None and context.output is not None:
            return bool(context.closed_streams >> self._descriptor & 1)
        return self._original is None or self._original.closed

    @property
    def buffer(self) -> Any:
        """The stream of bytes beneath."""
        if self._output() is None and self._original is not None:
            return self._original.buffer
        return _RoutedBytes(self)

    def isatty(self) -> bool:
        """A run's output is no terminal."""
        return self._output() is None and self._original is not None and self._original.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the process: what a program writes that gets it goes past the run."""
        if self._original is None:
            raise io.UnsupportedOperation("this process has no such stream")
        return self._original.fileno()

    def writable(self) -> bool:
        """Of course."""
        return True

    def reconfigure(self, **settings: Any) -> None:
        """Change the original stream, outside of any run."""
        if self._output() is None and self._original is not None:
            self._original.reconfigure(**settings)  # type: ignore[attr-defined]

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """How text becomes bytes."""
        return "utf-8" if self._original is None else self._original.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """What becomes of text that cannot become bytes."""
        return "backslashreplace" if self._original is None else self._original.errors

    def __getattr__(self, name: str) -> Any:
        """Have whatever else the original has."""
        return getattr(self._original, name)

    def __del__(self) -> None:
        """Do not close anything."""

    def _output(self) -> Output | None:
        """Return the output of the run that is asking, if it is one."""
        context = CURRENT.get()
        if context is None or context.output is None or in_copy():
            return None
        if context.closed_streams >> self._descriptor & 1:
            raise ValueError("I/O operation on closed file.")
        return context.output


class _RoutedBytes(io.RawIOBase):
    """Stands in for `sys.stdout.buffer`."""

    def __init__(self, stream: RoutedStream) -> None:
        self._stream = stream

    def write(self, data: Any, /) -> int:
        raw = bytes(data)
        output = self._stream._output()
        if output is None:
            self._stream.buffer.write(raw)
        else:
            output.print(self._stream._descriptor, raw)
        return len(raw)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def close(self) -> None:
        self._stream.close()

    def __del__(self) -> None:
        """Do not close anything."""


_active = 0
"""How many functions run in this process."""


def install() -> None:
    """Stand in for `sys.stdout` and `sys.stderr`, unless that is so already.

    Handlers of `logging` that were made before hold the original stream, so what they write is shown but not recorded.
    Those who load an application for its tasks alone had better call this before they do.
    """
    if type(sys.stdout) is not RoutedStream:
        sys.stdout = RoutedStream(sys.stdout, STDOUT)
    if type(sys.stderr) is not RoutedStream:
        sys.stderr = RoutedStream(sys.stderr, STDERR)


def enter() -> None:
    """Begin to run a function."""
    global _active
    if not _active:  # while functions run, one of them may have put something else there for a while
        install()
    _active += 1


def leave() -> None:
    """Have run it."""
    global _active
    _active -= 1
