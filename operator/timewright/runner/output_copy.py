"""A copy of what a task prints, in a file of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timewright.runner.definition import OutputFile


class OutputCopy:
    """The open file. That it cannot be written changes nothing for the run; `problem` tells it."""

    def __init__(self, file: OutputFile) -> None:
        """Open it, empty unless it is to be added to."""
        self.problem: str | None = None
        self._path = file.path
        self._descriptor: int | None = None
        # Nothing here may wait: a named pipe that nobody reads is refused, and a full one loses what does not fit.
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        flags |= os.O_APPEND if file.append else os.O_TRUNC
        try:
            self._descriptor = os.open(file.path, flags, 0o666)
        except (OSError, ValueError) as error:
            self._give_up(error)

    def write(self, data: bytes) -> None:
        """Write bytes, all of them or, once something is in the way, none any more."""
        view = memoryview(data)
        while view and self._descriptor is not None:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                self.close()
                self._give_up(error)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _give_up(self, error: OSError | ValueError) -> None:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        self.problem = (
            f"the output file {self._path!r} cannot be written: {reason}; "
            "check that its directory exists and may be written by the user that runs this"
        )
