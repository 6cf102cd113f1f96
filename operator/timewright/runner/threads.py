"""Threads for functions that block. None of them keeps the process from ending, nor the others from running."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

THREADS = 32
"""How many functions run at the same time, as long as all of them come to an end."""

_HUNG_SECONDS = 1.0
"""How long no thread takes up work before further ones are started: those there are may hang."""

_STARTED_AT_ONCE = 8
"""How many are started then."""

_MOST_THREADS = 1_000

_IDLE_SECONDS = 10.0
"""How long a thread waits for work before it ends."""


class Job:
    """Something to do in a thread."""

    __slots__ = ("_do", "_is_given_up", "_pool")

    def __init__(self, pool: ThreadPool, do: Callable[[], None]) -> None:
        """Use `ThreadPool.submit`."""
        self._pool = pool
        self._do = do
        self._is_given_up = False

    def run(self) -> None:
        """Do it."""
        self._do()
        if self._is_given_up:
            self._pool.allow(-1)

    def give_up(self) -> None:
        """Let another thread take the place of the one that does this, for as long as it does."""
        self._is_given_up = True
        self._pool.allow(1)


class ThreadPool:
    """A queue of jobs, and the threads that do them. A job must not raise."""

    def __init__(self, threads: int = THREADS, *, hung_seconds: float = _HUNG_SECONDS) -> None:
        """Run that many jobs at the same time, and more once none has been taken up for `hung_seconds`."""
        self._allowed = threads
        self._hung_seconds = hung_seconds
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._is_watched = False
        self._taken_at = 0.0
        """When a job was taken up last."""

    def submit(self, do: Callable[[], None]) -> Job:
        """Have something done soon."""
        job = Job(self, do)
        with self._changed:
            if not self._jobs:
                self._taken_at = time.monotonic()
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self._threads < self._allowed:
                self._start()
            elif not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, name="timewright-watch", daemon=True).start()
        return job

    def allow(self, further: int) -> None:
        """Allow that many threads more, or less."""
        with self._changed:
            self._allowed += further
            if self._jobs and self._threads < self._allowed:
                self._start()

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
            job.run()
            del job

    def _watch(self) -> None:
        """Start further threads for as long as jobs wait and no thread takes them up."""
        while True:
            time.sleep(self._hung_seconds / 4)
            with self._changed:
                if not self._jobs:
                    self._is_watched = False
                    return
                if time.monotonic() - self._taken_at < self._hung_seconds or self._idle:
                    continue
                for _ in range(min(_STARTED_AT_ONCE, len(self._jobs), _MOST_THREADS - self._threads)):
                    self._start()


POOL = ThreadPool()
"""The one of this process."""
