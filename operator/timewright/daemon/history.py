"""Writes every run that ends into a database, where there is one: in batches, and beside all that is urgent.

Runs do not wait for it. What cannot be written is kept, so much of it and no more; what is beyond that is counted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter

from timewright.daemon.known import Known
from timewright.decisions.history_status import HistoryState
from timewright.storage.protocol import StoreError, UnfitError
from timewright.storage.records import RunRecord

logger = logging.getLogger(__name__)

history_runs = Counter("timewright_history_runs", "Runs by what became of them for the full history.", ["result"])

SECONDS = 0.5
"""How often what has ended is written."""

RETRY_SECONDS = 2.0
CLOSING_SECONDS = 5.0
"""How long a leader that ends tries to write what is left."""

AHEAD_SECONDS = 1.0
"""How long a status may wait for it."""

BATCH = 250
"""How many runs are written at once: putting more together would keep the loop from a start for too long."""
MOST_RUNS = 100_000
"""How many runs are kept while the database is away, if they say little."""

MOST_CHARACTERS = 64_000_000
"""How much the output and messages of these may amount to."""

_NEAR = 2_000
"""With more runs than that to write, nothing waits for them."""

_PRUNE_SECONDS = 600.0
_PRUNED_AT_ONCE = 5_000


class Recorder(Protocol):
    """Where history is written; `storage.postgresql.archive.Archive`."""

    async def record(self, runs: Sequence[tuple[str, RunRecord]]) -> int: ...
    async def remove(self, key_prefix: str, before: int, most: int) -> int: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to, and for how long."""

    open: Callable[[], Recorder]
    """Returns what records; raises StoreError where nothing can."""
    max_age: int | None = None
    """How many seconds runs are kept; None for ever."""


class FullHistory:
    """The runs of one leadership on their way into a database."""

    def __init__(self, known: Known, destination: Destination, clock: Callable[[], float] = time.time) -> None:
        """Begin with nothing to write."""
        self.dropped = 0
        """How many runs were given up."""
        self._known, self._destination, self._clock = known, destination, clock
        self._pending: deque[tuple[str, RunRecord]] = deque()
        self._characters = 0
        self._names: dict[str, str] = {}
        self._recorder: Recorder | None = None
        self._trouble: str | None = None
        self._unfit = 0
        """How many runs are written one by one, since one of them cannot be written."""
        self._writing = asyncio.Lock()
        for result in ("written", "dropped"):
            history_runs.labels(result)  # an increase is seen only of a series that is there before

    @property
    def waiting(self) -> int:
        """How many runs are yet to be written."""
        return len(self._pending)

    def state(self) -> HistoryState:
        """Return how it does."""
        return HistoryState(len(self._pending), self.dropped, self._trouble)

    def learn(self, uid: str, name: str) -> None:
        """Take note of what a task is called. A run may end after its task is gone."""
        self._names[uid] = name

    def note(self, run: RunRecord) -> None:
        """Take a run that has ended."""
        self._pending.append((run.task, run))
        self._characters += len(run.output) + len(run.message)
        if len(self._pending) > MOST_RUNS or self._characters > MOST_CHARACTERS:
            self._give_up()

    async def run(self) -> None:
        """Write what has ended, and remove what is too old, until cancelled."""
        next_prune = time.monotonic() + _PRUNE_SECONDS / 10
        while True:
            await asyncio.sleep(RETRY_SECONDS if self._trouble else SECONDS)
            await self.flush()
            if self._destination.max_age is not None and time.monotonic() > next_prune and self._trouble is None:
                is_all = await self._prune(self._destination.max_age)
                next_prune = time.monotonic() + (_PRUNE_SECONDS if is_all else SECONDS)

    async def close(self) -> None:
        """Write what is left, as far as that is possible, and disconnect."""
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                while self._pending and await self.flush():
                    pass
        except TimeoutError:
            pass
        left = len(self._pending)
        if left:
            self._pending.clear()
            self._count_dropped(left)
            logger.error("%d runs are missing in the full history: %s", left, self._trouble or "there was no time left")
        if self._recorder is not None:
            await self._recorder.close()

    async def keep_ahead(self) -> None:
        """Write what has ended by now, unless there is trouble or a long way to go.

        Awaited before a status is written: which runs a number in it stands for, nobody could find out after a crash.
        """
        if not self._pending or self._trouble is not None or len(self._pending) > _NEAR:
            return
        try:
            async with asyncio.timeout(AHEAD_SECONDS):
                await self.flush()
        except TimeoutError:
            self._tell(f"the database did not answer within {AHEAD_SECONDS:g} s")

    async def flush(self) -> bool:
        """Write what has ended by now, in batches; tell whether that was possible."""
        async with self._writing:
            left = len(self._pending)
            while left > 0:
                batch = [self._pending.popleft() for _ in range(min(left, len(self._pending), self._batch()))]
                if not batch:
                    break
                left -= len(batch)
                if not await self._write(batch):
                    return False
            self._forget_names()
            return True

    def _batch(self) -> int:
        return 1 if self._unfit else BATCH

    async def _write(self, batch: list[tuple[str, RunRecord]]) -> bool:
        is_written = False
        try:
            recorder = self._recorder or self._destination.open()
            self._recorder = recorder
            added = await recorder.record([(self._key(uid, run), run) for uid, run in batch])
        except UnfitError as error:
            if len(batch) > 1:
                self._unfit = len(batch)
                return True
            logger.warning("run %s is missing in the full history: %s", batch[0][1].run_id, error)
            is_written = True
            self._count_dropped(1)
        except StoreError as error:
            self._tell(str(error))
            return False
        else:
            is_written = True
            history_runs.labels("written").inc(added)
            self._tell(None)
        finally:
            if not is_written:
                self._pending.extendleft(reversed(batch))
        self._unfit = max(0, self._unfit - len(batch))
        self._characters -= sum(len(run.output) + len(run.message) for _, run in batch)
        return True

    async def _prune(self, max_age: int) -> bool:
        """Remove what is too old; tell whether that was all."""
        if self._recorder is None:
            return True
        try:
            prefix, before = f"{self._known.namespace}/", int(self._clock()) - max_age
            return await self._recorder.remove(prefix, before, _PRUNED_AT_ONCE) < _PRUNED_AT_ONCE
        except StoreError as error:
            self._tell(str(error))
            return True

    def _give_up(self) -> None:
        """Drop the oldest run: what there was before it is more likely to be on record than what came later."""
        _, run = self._pending.popleft()
        self._characters -= len(run.output) + len(run.message)
        self._count_dropped(1)

    def _count_dropped(self, runs: int) -> None:
        self.dropped += runs
        history_runs.labels("dropped").inc(runs)

    def _key(self, uid: str, run: RunRecord) -> str:
        task = self._known.tasks.get(uid)
        name = self._names.get(uid, run.run_id) if task is None else task.name
        return f"{self._known.namespace}/{name}"

    def _forget_names(self) -> None:
        """Let go of the names of tasks that have long been gone."""
        if not self._pending and len(self._names) > 2 * len(self._known.tasks) + 1_000:
            self._names = {uid: name for uid, name in self._names.items() if uid in self._known.tasks}

    def _tell(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            logger.warning("full history: %s; runs go on, and what ends is kept meanwhile", trouble)
        elif trouble is None and self._trouble is not None:
            logger.info("full history: written again, %d runs are left", len(self._pending))
        self._trouble = trouble
