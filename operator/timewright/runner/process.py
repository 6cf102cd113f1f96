"""Runs one process and everything that it starts until all of it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from timewright.runner.out_of_memory import out_of_memory_kills
from timewright.runner.output import Output
from timewright.runner.output_pipes import OutputPipes
from timewright.runner.process_tree import ProcessTree
from timewright.runner.stop import StopRequest

GRACE_SECONDS = 10.0
"""How long a task that is to stop has between SIGTERM and SIGKILL."""

STRAY_GRACE_SECONDS = 2.0
"""The same for processes that a task leaves behind when it ends by itself."""

_LINGER_SECONDS = 0.5
"""How long processes have that end by themselves with the one that started them, such as helpers at a pipe."""

_KILL_SECONDS = 5.0


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


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a process may take, in seconds, and how it is ended."""

    timeout: float | None = None
    grace: float = GRACE_SECONDS
    stray_grace: float = STRAY_GRACE_SECONDS
    owns_orphans: bool = False
    """Whether this Python process runs this one task and nothing else (see `process_tree.adopt_orphans`)."""


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

    Its output goes to `output`. `keep_open` are descriptors that it inherits. Raises OSError if it cannot be started.
    """
    kills_before = out_of_memory_kills()
    async with OutputPipes(output) as pipes:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            # asyncio is given no pipes to read: it would wait for their end, which a background process can delay
            # for ever, before it told that the process has ended.
            stdin=asyncio.subprocess.DEVNULL if standard_input is None else asyncio.subprocess.PIPE,
            stdout=pipes.stdout,
            stderr=pipes.stderr,
            env=dict(environment),
            start_new_session=True,
            pass_fds=keep_open,
        )
        pipes.start_reading()
        supervisor = _Supervisor(process, limits, stop)
        try:
            feeding = asyncio.ensure_future(_feed(process, standard_input))
            end = await supervisor.wait()
            feeding.cancel()
            left = await supervisor.end_strays()
        except BaseException:
            supervisor.tree.send(signal.SIGKILL)
            raise
    if left and not (end.timed_out or end.stopped):
        await output.note(f"ended {left} process(es) that the task left running in the background")
    kills_after = out_of_memory_kills()
    return ProcessEnd(
        code=end.code,
        timed_out=end.timed_out,
        stopped=end.stopped,
        killed=end.killed,
        out_of_memory=kills_before is not None and kills_after is not None and kills_after > kills_before,
    )


class _Supervisor:
    """Watches over one process: its time-out, requests to stop, and what it leaves behind."""

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits, stop: StopRequest) -> None:
        self.tree = ProcessTree(process.pid, owns_orphans=limits.owns_orphans)
        self._limits = limits
        self._stop = stop
        self._exited = asyncio.ensure_future(process.wait())

    async def wait(self) -> ProcessEnd:
        """Wait until the process has ended, or end it."""
        stopping = asyncio.ensure_future(self._stop.wait())
        reaping = asyncio.ensure_future(self._reap())
        try:
            await asyncio.wait(
                {self._exited, stopping}, timeout=self._limits.timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if self._exited.done():
                return ProcessEnd(self._exited.result())
            stopped = self._stop.requested
            killed = await self._end()
            code = self._exited.result() if self._exited.done() else None
            return ProcessEnd(code, timed_out=not stopped, stopped=stopped, killed=killed)
        finally:
            stopping.cancel()
            reaping.cancel()

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
        self.tree.send(signal.SIGTERM)
        deadline = time.monotonic() + self._limits.grace
        await asyncio.wait({self._exited}, timeout=self._limits.grace)
        if self._exited.done() and await self._gone(deadline - time.monotonic()):
            return False
        killed = not self._exited.done()
        await self._kill()
        await asyncio.wait({self._exited}, timeout=_KILL_SECONDS)
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
        while self.tree.members():
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)
        return True

    async def _reap(self) -> None:
        """Reap adopted processes now and then, so that a long run does not fill the process table with zombies."""
        while self._limits.owns_orphans:
            await asyncio.sleep(2)
            self.tree.reap_orphans()


async def _feed(process: asyncio.subprocess.Process, data: bytes | None) -> None:
    if process.stdin is None or data is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()
