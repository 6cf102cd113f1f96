"""What belongs to one leadership: the store in its memory, who writes, the tasks that run, and the news to follow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from timewright.cluster.api import Api
from timewright.daemon.configuration import Configuration
from timewright.daemon.history import FullHistory
from timewright.daemon.jobs import Jobs
from timewright.daemon.known import Known
from timewright.daemon.task import ClusterTask
from timewright.daemon.writer import Writer
from timewright.daemon.writes import Allowance
from timewright.engine.beside import told
from timewright.engine.locking import Locking
from timewright.storage.kubernetes.lease import Lease
from timewright.storage.kubernetes.store import LeaseStore
from timewright.storage.records import RunRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a leader works with, which outlives it where it only stands by afterwards."""

    api: Api
    configuration: Configuration
    known: Known
    jobs: Jobs
    history: FullHistory | None = None
    """Where all runs are told to, if they are told to anybody besides the cluster."""


class Tenure:
    """Made with the Lease taken, and shared by everything that a leader is made of."""

    def __init__(self, parts: Parts, lease: Lease) -> None:
        """Begin without a task. Raises UnreadableLease."""
        self.api, self.configuration, self.known, self.jobs = parts.api, parts.configuration, parts.known, parts.jobs
        self.history = parts.history
        self.store = LeaseStore(lease)
        self.allowance = Allowance(parts.configuration.writes_per_minute)
        self.running: dict[str, ClusterTask] = {}
        """The tasks that run, by UID: of each the generation that was accepted last."""
        self.leaving: dict[str, ClusterTask] = {}
        """Tasks that are to be given back, by UID, whose runs the leader before has started: no tick of them starts."""
        self.writer = Writer(parts.api, parts.known, parts.jobs, self.store, self.allowance)
        self.writer.running = self.task
        self.jobs.before_delete = self.writer.tell_ahead
        self.changed: asyncio.Queue[str] = asyncio.Queue()
        """UIDs of tasks that have come, changed or gone."""
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        """Names of TaskRuns that somebody has made by hand."""
        self.outlasting: set[tuple[str, str]] = set()
        """UIDs of tasks and ids of runs that went on when their task was given back.

        TaskRuns tell of their ends, and by the names of these they are counted, by whoever decides the task then: it
        may have come back.
        """
        self.locking: Locking | None = None
        """Who holds locks that tasks share, once runs are started."""
        self.is_lost = False
        """Whether another replica has the Lease by now."""
        self.is_over = False
        """Whether this leadership ends, so that what may take long is left to the next one."""
        self._background: set[asyncio.Task[None]] = set()
        if self.history is not None:
            self.store.on_end = self.store.on_inherited = self.history.note
            self.writer.before_status = self.history.keep_ahead

    def task(self, uid: str) -> ClusterTask | None:
        """Return a task that runs, or whose runs are followed until it is given back."""
        return self.running.get(uid) or self.leaving.get(uid)

    def let_go(self, uid: str) -> None:
        """Forget a task that is gone, or somebody else's."""
        task, book = self.task(uid), self.store.book(uid)
        self.running.pop(uid, None)
        self.leaving.pop(uid, None)
        self.outlasting |= {(uid, run_id) for run_id in self.writer.left_open.pop(uid, ())}
        if task is not None and book is not None and self.locking is not None:
            self.locking.let_go(task, book.open.values())
        self.store.forget(uid)
        self.writer.waiting.discard(uid)
        self.writer.counted.pop(uid, None)

    def release_locks(self, run: RunRecord) -> None:
        """Free the locks of a run that others have told the end of."""
        task = self.task(run.task)
        if task is not None and self.locking is not None:
            self.locking.ended(task, run)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done beside all else."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("timewright failed, and goes on: %s", told(error))

    async def done(self) -> None:
        """Wait until all of that is done."""
        await asyncio.gather(*self._background, return_exceptions=True)
