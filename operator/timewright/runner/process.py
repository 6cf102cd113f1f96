"""Runs one process and everything that it starts until all of it has ended."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from timewright.runner.child import Child
from timewright.runner.limits import Limits
from timewright.runner.memory import exceeds
from timewright.runner.out_of_memory import out_of_memory_kills
from timewright.runner.output import Output
from timewright.runner.output_pipes import OutputPipes
from timewright.runner.process_tree import ProcessTree, new_mark
from timewright.runner.stop import StopRequest

_LINGER_SECONDS = 0.5
"""How long processes have that end by themselves with the one that started them, such as helpers at a pipe."""

_KILL_SECONDS = 5.0

_BRIEF_SECONDS = 5.0
"""A run of less than this cannot have seen all process IDs used up once around."""

_REAP_SECONDS = 2.0
_LOOK_SECONDS = 1.0
_MEMORY_LOOK_SECONDS = 0.1
_FIRST_PEAK_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended. `code` is as `subprocess` tells it: -n for signal n; None if even SIGKILL did not end it."""

    code: int | None
    timed_out: bool = False
    stopped: bool = False
    """Whether somebody asked the runner to stop before the process ended."""

    killed: bool = False
    """Whether the runner sent SIGKILL to it."""

    out_of_memory: bool = False
    """Whether the kernel killed a process in this container for lack of memory meanwhile."""

    held_bytes: int | None = None
    """How much its processes held together when that was more than they may; they were ended for it."""

    code_taken: bool = False
    """Whether other code in this process took away how it ended, by waiting for just any child."""

    peak_memory_bytes: int | None = None
    """The most memory that the largest of its processes held; None if nobody knows."""


async def run_process(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: Output,
    stop: StopRequest,
    limits: Limits,
    standard_input: bytes | None = None,
    keep_open: tuple[int, ...] = (),
) -> ProcessEnd:
    """Run a program as the leader of a session of its own and wait until it and its descendants have ended.

    Its output goes to `output`. `keep_open` are descriptors that it inherits. Raises OSError or ValueError if it cannot
    be started.
    """
    kills_before = out_of_memory_kills()
    mark, environment = new_mark(environment)
    async with OutputPipes(output) as pipes:
        with _as_file(standard_input) as source:
            child = Child(
                arguments,
                environment=environment,
                stdin=source,
                stdout=pipes.stdout,
                stderr=pipes.stderr,
                keep_open=keep_open,
            )
        pipes.start_reading()
        supervisor = _Supervisor(child, limits, stop, mark)
        try:
            end = await supervisor.wait()
            left = await supervisor.end_strays()
        except BaseException:
            supervisor.tree.send(signal.SIGKILL)
            raise
    if left and not (end.timed_out or end.stopped or end.held_bytes):
        output.note(f"ended {left} process(es) that the task left running in the background")
    kills_after = out_of_memory_kills()
    return replace(
        end,
        out_of_memory=kills_before is not None and kills_after is not None and kills_after > kills_before,
        peak_memory_bytes=child.peak_memory_bytes,
    )


@contextmanager
def _as_file(data: bytes | None) -> Iterator[int]:
    """Offer bytes as a file to read, which unlike a pipe need not be fed."""
    if data is None:
        descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    else:
        try:
            descriptor = os.memfd_create("timewright")
        except (AttributeError, OSError):  # not Linux
            import tempfile

            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
    try:
        if data is not None:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


class _Supervisor:
    """Watches over one process: its time-out, its memory, requests to stop, and what it leaves behind."""

    def __init__(self, child: Child, limits: Limits, stop: StopRequest, mark: str) -> None:
        # With a PID namespace or a container of its own there is nobody to confuse an orphan with.
        self.tree = ProcessTree(child.pid, owns_orphans=limits.owns_orphans, mark=mark)
        self._child = child
        self._limits = limits
        self._stop = stop
        self._began = time.monotonic()

    async def wait(self) -> ProcessEnd:
        """Wait until the process has ended, or end it."""
        ended: asyncio.Future[Any] = self._child.ended
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        looking: asyncio.Future[Any] = asyncio.ensure_future(self._look())
        try:
            await asyncio.wait(
                {ended, stopping, looking}, timeout=self._limits.timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if ended.done():
                return ProcessEnd(self._child.code, code_taken=self._child.code is None)
            stopped = self._stop.requested
            held = looking.result() if looking.done() and not stopped else None
            killed = await self._end()
            return ProcessEnd(
                self._child.code,
                timed_out=not stopped and held is None,
                stopped=stopped,
                killed=killed,
                held_bytes=held,
            )
        finally:
            stopping.cancel()
            looking.cancel()

    async def end_strays(self) -> int:
        """End what the process has left running; return how many processes that were."""
        if await self._gone(_LINGER_SECONDS):
            return 0
        left = len(self.tree.members())
        if left:
            self.tree.send(signal.SIGTERM)
            if not await self._gone(self._limits.stray_grace):
                await self._kill()
        self.tree.reap_orphans()
        return left

    async def _end(self) -> bool:
        """Ask the task to end, then make it; return whether SIGKILL was needed."""
        ended = self._child.ended
        self._child.look_at_memory()
        self.tree.send(signal.SIGTERM)
        deadline = time.monotonic() + self._limits.grace
        await asyncio.wait({ended}, timeout=self._limits.grace)
        if ended.done() and await self._gone(deadline - time.monotonic()):
            return False
        killed = not ended.done()
        await self._kill()
        await asyncio.wait({ended}, timeout=_KILL_SECONDS)
        return killed

    async def _kill(self) -> None:
        """Kill until nothing is left, since a process may fork between being seen and being killed."""
        deadline = time.monotonic() + _KILL_SECONDS
        while self.tree.send(signal.SIGKILL) and time.monotonic() < deadline:
            self.tree.reap_orphans()
            await asyncio.sleep(0.01)

    async def _gone(self, seconds: float) -> bool:
        """Wait that long at most for every process of the task to end; return whether they have."""
        deadline = time.monotonic() + seconds
        pause = 0.002
        while self.tree.members(brief=time.monotonic() - self._began < _BRIEF_SECONDS):
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)
        return True

    async def _look(self) -> int:
        """Look at the process now and then; return how much memory it holds once that is too much.

        Adopted processes are reaped, so that a long run does not fill the process table with zombies.
        """
        limit = self._limits.memory_bytes
        pause = _FIRST_PEAK_LOOK_SECONDS
        reaped = time.monotonic()
        while True:
            await asyncio.sleep(pause)
            self._child.look_at_memory()
            if limit is not None:
                held = exceeds(self.tree.members(), limit)
                if held is not None:
                    return held
            if time.monotonic() - reaped >= _REAP_SECONDS:
                self.tree.reap_orphans()
                reaped = time.monotonic()
            pause = min(2 * pause, _LOOK_SECONDS if limit is None else _MEMORY_LOOK_SECONDS)
