"""Takes note of the ends of processes that came to this one when their parents ended, as PID 1 of a container has to.

Nobody else asks how they ended, and until somebody does each keeps its place in the process table. But a function in
this process may be about to ask how a child of its own ended, so children that may be such are left alone.
"""

from __future__ import annotations

import asyncio
import os
import time

from timewright.runner.child import is_watched
from timewright.runner.process_tree import processes, reap

_SWEEP_SECONDS = 5.0

_PATIENCE_SECONDS = 60.0
"""How long a function has to ask for the end of a child that it started in a session of its own."""


class Reaper:
    """Remembers which processes have ended, and since when."""

    def __init__(self, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """Let others that long ask for the end of what may be theirs."""
        self._patience = patience_seconds
        self._ended: dict[tuple[int, int], float] = {}

    def sweep(self) -> int:
        """Reap what has waited for long enough; return how many processes that were."""
        now, me = time.monotonic(), os.getpid()
        ended = {
            (entry.pid, entry.started): self._ended.get((entry.pid, entry.started), now)
            for entry in processes().values()
            # Children of functions here share this session unless they were started otherwise; adopted ones never do.
            if entry.parent == me and entry.zombie and entry.session != os.getsid(0) and not is_watched(entry.pid)
        }
        due = [identity for identity, since in ended.items() if now - since >= self._patience]
        reap(pid for pid, _ in due)
        self._ended = {identity: since for identity, since in ended.items() if identity not in due}
        return len(due)


async def keep_reaping() -> None:
    """Reap for as long as this process runs, if it is one that adopts. To be cancelled."""
    reaper = Reaper()
    while os.getpid() == 1:
        await asyncio.sleep(_SWEEP_SECONDS)
        reaper.sweep()
