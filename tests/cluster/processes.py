"""Processes by number and start time, so that a number used again is never taken for the process that had it before."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class ProcessId:
    number: int
    started: int
    boot: str

    @classmethod
    def of(cls, number: int) -> Self:
        """The identity of a process that runs now."""
        fields = _stat(number)
        if fields is None:
            raise ProcessLookupError(number)
        return cls(number, int(fields[19]), _boot())

    @classmethod
    def own(cls) -> Self:
        return cls.of(os.getpid())

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The process that was written to the file, if any was."""
        try:
            return cls.from_json(json.loads(file.read_text()))
        except (FileNotFoundError, ValueError):
            return None

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(self.as_json()))

    def as_json(self) -> dict[str, Any]:
        return {"number": self.number, "started": self.started, "boot": self.boot}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["number"], data["started"], data["boot"])

    def is_alive(self) -> bool:
        """Whether this very process still runs; one that only waits to be collected does not."""
        fields = _stat(self.number)
        return fields is not None and fields[0] not in "ZX" and int(fields[19]) == self.started and self.boot == _boot()


def _stat(number: int) -> list[str] | None:
    """The fields of /proc/N/stat after the command's name, which may itself contain spaces and parentheses."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
