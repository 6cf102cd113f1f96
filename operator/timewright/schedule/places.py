"""Where in the application's code something is declared."""

from __future__ import annotations

import sys
from typing import NamedTuple

_OWN = __name__.rpartition(".")[0]


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place_of_caller() -> Place:
    """Return the line outside of this package that is being executed."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OWN):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)
