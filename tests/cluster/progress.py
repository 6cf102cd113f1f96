"""Tells a person, now and then, what a long step is doing."""

import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self


def say(message: str) -> None:
    """One line for the person who waits; on stderr, since stdout belongs to the command that was asked for."""
    print(f"[timewright] {message}", file=sys.stderr, flush=True)


class Progress:
    """Says at once that a step begins and ended, and in between where it is, at a pace that does not flood a log."""

    EVERY_SECONDS = 15.0

    def __init__(self, what: str, board: Path | None = None) -> None:
        self._what = what
        self._board = board
        self._where = "starting"
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        say(f"{self._what}: starting")
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._ticker.join()
        say(f"{self._what}: {'done' if error is None else 'failed'} after {self._elapsed()}")

    def at(self, where: str) -> None:
        """Remember where the step is."""
        self._where = where

    def _tick(self) -> None:
        while not self._ended.wait(self.EVERY_SECONDS):
            line = f"{self._what}: {self._where}, {self._elapsed()}"
            say(line)
            if self._board is not None:
                self._board.write_text(line + "\n")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes}m{seconds:02d}s"
