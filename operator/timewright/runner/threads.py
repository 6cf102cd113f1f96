"""Threads for functions that block. None of them keeps the process from ending, nor the others from running."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

THREADS = 32
"""How many functions run at the same time, as long as all of them come to an end."""

_HUNG_SECONDS = 1.0
"""How long a function waits for a thread before one more is started: those there are may hang."""

_MOST_THREADS = 1_000

_IDLE_SECONDS = 10.0
"""How long a thread waits for work before it ends."""


class ThreadPool:
    """A queue of jobs, and the threads that do them. A job must not raise."""

    def __init__(self, threads: int = THREADS, *, hung_seconds: float = _HUNG_SECONDS) -> None:
        """Run that many jobs at the same time; more, one by one, when none of them has ended for `hung_seconds`."""
        self._wanted = threads
        self._hung_seconds = hung_seconds
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._watching = False
        self._taken_at = 0.0
        """When a job was taken out of the queue last."""

    def submit(self, job: Callable[[], None]) -> None:
        """Have a job done soon."""
        with self._changed:
            if not self._jobs:
                self._taken_at = time.monotonic()
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self._threads < self._wanted:
                self._start()
            elif not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="timewright-watch", daemon=True).start()

    def _start(self) -> None:
        # Daemon threads: the interpreter must not wait for a function that hangs.
        try:
            threading.Thread(target=self._work, name="timewright-call", daemon=True).start()
        except RuntimeError:  # the system has no thread left; those there are go on
            if not self._threads:
                raise
            return
        self._threads += 1

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                has_work = self._changed.wait_for(lambda: bool(self._jobs), _IDLE_SECONDS)
                self._idle -= 1
                if not has_work:
                    self._threads -= 1
                    return
                job = self._jobs.popleft()
                self._taken_at = time.monotonic()
            job()
            del job

    def _watch(self) -> None:
        """Start further threads for as long as jobs wait and no thread takes them."""
        while True:
            time.sleep(self._hung_seconds / 4)
            with self._changed:
                if not self._jobs:
                    self._watching = False
                    return
                stuck = time.monotonic() - self._taken_at >= self._hung_seconds
                if stuck and self._idle == 0 and self._threads < _MOST_THREADS:
                    self._start()


POOL = ThreadPool()
"""The one of this process."""
