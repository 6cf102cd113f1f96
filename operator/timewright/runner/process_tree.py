"""Finds and signals every process that a task has started, those that left its process group included.

On Linux from /proc; elsewhere only the process group is known.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36

MARK = "TIMEWRIGHT_PROCESSES_OF"
"""The environment variable by which a process is known to belong to a task, wherever it has gone."""


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


def processes(after: int = 0) -> dict[int, ProcessEntry]:
    """Return all processes that can be seen, by PID; none where there is no /proc. `after` leaves out lower PIDs."""
    return {entry.pid: entry for entry in _entries(after)}


def _entries(after: int = 0) -> Iterator[ProcessEntry]:
    try:
        names = os.listdir(PROC)  # noqa: PTH208 - only the names are wanted
    except OSError:
        return
    for name in names:
        if not name.isdecimal() or int(name) < after:
            continue
        entry = read_entry(int(name))
        if entry is not None:
            yield entry


def read_entry(pid: int) -> ProcessEntry | None:
    """Return what /proc tells of a process; None if there is none."""
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:  # noqa: PTH123 - a Path costs as much as the reading
            raw = file.read()
    except OSError:  # it has ended meanwhile
        return None
    # The command's name, in parentheses, may itself hold blanks and parentheses.
    fields = raw[raw.rindex(b")") + 2 :].split()
    return ProcessEntry(
        pid=pid,
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        state=fields[0].decode(),
        started=int(fields[19]),
    )


class ProcessTree:
    """The processes of one task: its first process leads a session, and its PID is that session's identity.

    A process belongs to the task if it is in that session, descends from the first process, or was once seen to. What
    left both the session and its parents is known by where it came to: with `owns_orphans` whatever this process has
    adopted (see `adopt_orphans`), else by the mark that the task's processes inherit in their environment. Only a
    process that has thrown away its environment as well, before anybody looked, escapes the latter.
    """

    def __init__(self, leader: int, *, owns_orphans: bool, mark: str = "") -> None:
        """Follow the processes of that session leader, whose environment has that mark."""
        self._leader = leader
        self._owns_orphans = owns_orphans
        self._mark = mark.encode()
        self._seen: set[tuple[int, int]] = set()
        self._strangers: set[tuple[int, int]] = set()
        entry = read_entry(leader)
        self._started = 0 if entry is None else entry.started

    def members(self, *, brief: bool = False) -> list[ProcessEntry]:
        """Return the task's processes that are alive.

        `brief` says that the task began moments ago: whatever it has started then has a higher PID than its leader, and
        nothing else need be looked at.
        """
        table = processes(after=self._leader if brief and not self._pids_began_anew() else 0)
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
        reap(entry.pid for entry in _entries() if entry.parent == me and entry.zombie and entry.pid != self._leader)

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
        return self._is_marked(entry)

    def _is_marked(self, entry: ProcessEntry) -> bool:
        identity = entry.pid, entry.started
        if not self._mark or entry.zombie or entry.started < self._started or identity in self._strangers:
            return False
        if self._mark in _marks_of(entry.pid):
            return True
        self._strangers.add(identity)
        return False

    def _pids_began_anew(self) -> bool:
        """Tell whether PIDs have been given out to the highest one, and then from the lowest again, meanwhile."""
        try:
            with open(f"{PROC}/loadavg", "rb") as file:  # noqa: PTH123 - a Path costs as much as the reading
                return int(file.read().split()[-1]) < self._leader
        except (OSError, ValueError, IndexError):
            return True


def new_mark(environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return a mark that no other process has, and the environment with it.

    A runner that runs within a task of another one adds its marks to those that are there.
    """
    mark = os.urandom(8).hex()
    outer = environment.get(MARK)
    return mark, {**environment, MARK: f"{outer},{mark}" if outer else mark}


def _marks_of(pid: int) -> Collection[bytes]:
    try:
        with open(f"{PROC}/{pid}/environ", "rb") as file:  # noqa: PTH123 - a Path costs as much as the reading
            variables = file.read().split(b"\0")
    except OSError:  # it has ended meanwhile, or belongs to somebody else
        return ()
    prefix = MARK.encode() + b"="
    return next((each[len(prefix) :].split(b",") for each in variables if each.startswith(prefix)), ())


def reap(pids: Iterable[int]) -> None:
    """Ask how processes have ended, of which nobody wants to know."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
