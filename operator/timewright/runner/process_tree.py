"""Finds and signals every process that a task has started, those that left its process group included.

On Linux from /proc; elsewhere only the process group is known.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One process as /proc tells it. `started` (clock ticks since boot) tells two users of one PID apart."""

    pid: int
    parent: int
    group: int
    session: int
    state: str
    started: int

    @property
    def zombie(self) -> bool:
        """Whether it has ended, and nobody has asked how."""
        return self.state in ("Z", "X")


def adopt_orphans() -> bool:
    """Make this process the parent of every descendant whose own parent ends, as PID 1 is; return whether it is.

    Only for a process that runs one task: whatever it adopts is then known to belong to that task.
    """
    if os.getpid() == 1:
        return True
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # no C library to ask, or not Linux
        return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


def processes() -> dict[int, ProcessEntry]:
    """Return all processes that can be seen, by PID; none where there is no /proc."""
    return {entry.pid: entry for entry in _entries()}


def _entries() -> Iterator[ProcessEntry]:
    try:
        names = os.listdir(PROC)  # noqa: PTH208 - only the names are wanted
    except OSError:
        return
    for name in names:
        if not name.isdecimal():
            continue
        try:
            raw = (PROC / name / "stat").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        # The command's name, in parentheses, may itself hold blanks and parentheses.
        fields = raw[raw.rindex(b")") + 2 :].split()
        yield ProcessEntry(
            pid=int(name),
            parent=int(fields[1]),
            group=int(fields[2]),
            session=int(fields[3]),
            state=fields[0].decode(),
            started=int(fields[19]),
        )


class ProcessTree:
    """The processes of one task: its first process leads a session, and its PID is that session's identity.

    A process belongs to the task if it is in that session, descends from the first process, was once seen to, or, with
    `owns_orphans`, has been adopted by this process (see `adopt_orphans`).
    """

    def __init__(self, leader: int, *, owns_orphans: bool) -> None:
        """Follow the processes of that session leader."""
        self._leader = leader
        self._owns_orphans = owns_orphans
        self._seen: set[tuple[int, int]] = set()

    def members(self) -> list[ProcessEntry]:
        """Return the task's processes that are alive."""
        table = processes()
        roots = {self._leader} | ({os.getpid()} if self._owns_orphans else set())
        found = [entry for entry in table.values() if self._belongs(entry, table, roots)]
        self._seen |= {(entry.pid, entry.started) for entry in found}
        return [entry for entry in found if not entry.zombie]

    def send(self, number: signal.Signals) -> int:
        """Send a signal to all of them; return to how many."""
        members = self.members()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader, number)
        for entry in members:
            if entry.group != self._leader:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(entry.pid, number)
        return len(members)

    def reap_orphans(self) -> None:
        """Take note of adopted processes that have ended, which would otherwise stay zombies."""
        if not self._owns_orphans:
            return
        me = os.getpid()
        for entry in _entries():
            if entry.parent == me and entry.zombie and entry.pid != self._leader:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(entry.pid, os.WNOHANG)

    def _belongs(self, entry: ProcessEntry, table: dict[int, ProcessEntry], roots: set[int]) -> bool:
        if entry.pid == os.getpid():
            return False
        if entry.session == self._leader or (entry.pid, entry.started) in self._seen:
            return True
        seen: set[int] = set()
        current: ProcessEntry | None = entry
        while current is not None and current.pid not in seen:
            if current.pid in roots:
                return True
            seen.add(current.pid)
            current = table.get(current.parent)
        return False
