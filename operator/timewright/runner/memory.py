"""How much memory the processes of a task hold together."""

from __future__ import annotations

import os
from collections.abc import Iterable

from timewright.runner.process_tree import PROC, ProcessEntry

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def exceeds(members: Iterable[ProcessEntry], limit_bytes: int) -> int | None:
    """Return how many bytes processes hold together if that is more than the limit; None if it is not.

    What they share counts once. That takes the kernel a while to find out, so it is asked only when the sum of what
    each of them holds for itself is too much.
    """
    pids = [entry.pid for entry in members]
    if sum(_unshared(pid) for pid in pids) <= limit_bytes:
        return None
    held = sum(_proportional(pid) for pid in pids)
    return held if held > limit_bytes else None


def _unshared(pid: int) -> int:
    """Return what a process holds but for files; what a fork shares with its parent counts for both."""
    try:
        with open(f"{PROC}/{pid}/statm", "rb") as file:  # noqa: PTH123 - a Path costs as much as the reading
            fields = file.read().split()
        return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):  # it has ended meanwhile
        return 0


def _proportional(pid: int) -> int:
    """Return what a process holds, of what it shares with others its share; files apart."""
    try:
        with open(f"{PROC}/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123 - as above
            for line in file:
                if line.startswith(b"Pss_Anon:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return _unshared(pid)  # an old kernel, or a process of another user
