"""A child process: how it is started, when it has ended, and how much memory it held."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

_KIB = 1024

_unreaped: set[int] = set()
"""PIDs of children whose end this module asks for."""


class Child:
    """A process that was started. Its end is asked for once, by nobody else."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        stdin: int,
        stdout: int,
        stderr: int,
        keep_open: Sequence[int] = (),
    ) -> None:
        """Start a program as the leader of a session of its own. Raises OSError or ValueError if that is impossible."""
        self._own_peak = _peak_of_this_process()
        self._process = subprocess.Popen(  # noqa: S603 - to run what it is given is what this is for
            list(arguments),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            start_new_session=True,
            pass_fds=tuple(keep_open),
        )
        self.pid = self._process.pid
        self.code: int | None = None
        """How it ended, once it has: the exit code, or -n for signal n; None if others have taken that away."""
        self._peak: int | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        _unreaped.add(self.pid)
        self._watch()

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most memory that the largest of it and its descendants has held; None if nobody knows."""
        return self._peak

    def look_at_memory(self) -> None:
        """Note how much memory it and its descendants have held so far, which may not be told when they have ended."""
        for pid in _with_descendants(self.pid):
            seen = _peak_of(pid)
            if seen is not None:
                self._peak = max(self._peak or 0, seen)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or an old one
            threading.Thread(target=self._wait, args=(loop,), name="timewright-wait", daemon=True).start()
            return

        def ready() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._take(*_wait4(self.pid))

        loop.add_reader(descriptor, ready)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        end = _wait4(self.pid)
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(self._take, *end)

    def _take(self, code: int | None, peak: int) -> None:
        _unreaped.discard(self.pid)
        self._process.returncode = 0 if code is None else code  # so that it does not ask itself
        self.code = code
        # Until a new process has loaded its program it is a copy of this one, and is counted with its memory.
        if peak > self._own_peak:
            self._peak = max(self._peak or 0, peak)
        if not self.ended.done():
            self.ended.set_result(None)


def is_watched(pid: int) -> bool:
    """Tell whether that is a child whose end somebody here asks for."""
    return pid in _unreaped


def _peak_of(pid: int) -> int | None:
    """Return the most memory, in bytes, that a process has held since it loaded its program; None if nobody tells."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123 - a Path costs as much as the reading
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * _KIB
    except (OSError, ValueError, IndexError):
        pass
    return None


def _with_descendants(pid: int) -> Iterator[int]:
    """Yield a process and what descends from it, as far as the kernel tells."""
    yield pid
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123 - as above
            children = [int(each) for each in file.read().split()]
    except OSError:
        return
    for child in children:
        yield from _with_descendants(child)


def _peak_of_this_process() -> int:
    import resource

    return _in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _in_bytes(maxrss: int) -> int:
    return maxrss if sys.platform == "darwin" else maxrss * _KIB


def _wait4(pid: int) -> tuple[int | None, int]:
    try:
        _, status, usage = os.wait4(pid, 0)
    except ChildProcessError:  # code in this process has waited for just any child
        return None, 0
    return os.waitstatus_to_exitcode(status), _in_bytes(usage.ru_maxrss)
