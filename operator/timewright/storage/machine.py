"""What this machine knows of time and of processes that no one can forge or set: for leases on one machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_ENDED = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class Process:
    """A process, such that no other is ever taken for it while the machine is up."""

    pid_namespace: str
    """Process numbers mean something only within it: those of two containers have nothing to do with each other."""
    pid: int
    started: str
    """When it started, as the kernel counts it; numbers of processes are used again."""


def boot() -> str:
    """Return what identifies the time since the machine was started; empty where the system does not tell."""
    return _read("/proc/sys/kernel/random/boot_id")


def now() -> float:
    """Return seconds on a clock that all processes of this boot share and that goes on while the machine sleeps.

    It cannot be set, except where the system has no such clock: there it is the time of day.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if clock is None else time.clock_gettime(clock)


def this_process() -> Process | None:
    """Return this process, or None where `has_ended` could not judge others."""
    pid = os.getpid()
    try:
        # In a new process namespace that still has the old /proc, numbers there are not ours.
        if Path("/proc/self").readlink().name != str(pid):
            return None
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
    found = _state_and_start(pid)
    return None if found is None else Process(namespace, pid, found[1])


def has_ended(process: Process, seen_from: Process) -> bool:
    """Tell whether a process is known to have ended. False when that cannot be told from here."""
    if process.pid_namespace != seen_from.pid_namespace:
        return False
    found = _state_and_start(process.pid)
    if found is not None:
        return found[0] in _ENDED or found[1] != process.started
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        # It is another user's, and this /proc hides those.
        return False
    return False


def _state_and_start(pid: int) -> tuple[str, str] | None:
    # The second field is the name of the program in brackets, and may have any character in it.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace").strip()
    except OSError:
        return ""
