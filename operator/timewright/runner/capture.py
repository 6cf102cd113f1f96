"""Keeps the beginning and the end of a task's output, whatever its length."""

from __future__ import annotations

import re

HEAD_BYTES = 4 * 1024
TAIL_BYTES = 16 * 1024

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Capture:
    """A bounded record of bytes: the first and the last of them."""

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        """Keep at most that many bytes of the beginning and of the end."""
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    @property
    def total(self) -> int:
        """How many bytes were added."""
        return self._total

    def add(self, data: bytes) -> None:
        """Add bytes."""
        self._total += len(data)
        room = self._head_bytes - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._tail_bytes:  # not at every call: moving the bytes is what costs
            del self._tail[: -self._tail_bytes]

    def text(self) -> str:
        """Return what was kept, readable: no escape sequences, and a note where something was left out."""
        tail = bytes(self._tail[-self._tail_bytes :]) if self._tail_bytes else b""
        left_out = self._total - len(self._head) - len(tail)
        if left_out <= 0:
            return readable(bytes(self._head) + tail)
        return f"{readable(bytes(self._head))}\n… {left_out} bytes left out …\n{readable(tail)}"

    def last_line(self) -> str:
        """Return the last line that is not blank, or an empty string."""
        tail = bytes(self._tail[-self._tail_bytes :]) or bytes(self._head)
        return next((line.strip() for line in reversed(readable(tail).splitlines()) if line.strip()), "")


def readable(data: bytes) -> str:
    """Decode output for a record: UTF-8 where it is, no terminal escape sequences, no control characters."""
    text = _ESCAPE_SEQUENCE.sub("", data.decode(errors="replace").replace("\r\n", "\n"))
    return _CONTROL.sub("", text.replace("\r", "\n"))
