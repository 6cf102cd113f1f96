"""What the replica that holds the Lease does: it takes the tasks over, schedules them, and hands them on.

`Leader.run` is the whole of it. What belongs to a leadership is in `tenure`; how tasks come to it in `adoption`, what
it does about news in `following`, how tasks leave it in `giving_back`; of runs that are not its own it hears in
`runs_of_others`, and what it has still to say when it goes is in `last_words`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable, Sequence

from timewright.daemon.adoption import Adoption
from timewright.daemon.by_hand import ByHand
from timewright.daemon.following import Following
from timewright.daemon.giving_back import GivingBack
from timewright.daemon.history import FullHistory
from timewright.daemon.job_places import JobPlaces
from timewright.daemon.last_words import LastWords
from timewright.daemon.runs_of_others import RunsOfOthers
from timewright.daemon.task import ClusterTask
from timewright.daemon.tenure import Parts, Tenure
from timewright.daemon.writer import Writer
from timewright.daemon.writes import Allowance
from timewright.engine import garbage
from timewright.engine.beside import beside
from timewright.engine.executor import Executor
from timewright.engine.ledger import Ledger
from timewright.engine.locking import Locking
from timewright.engine.loop import Loop
from timewright.engine.session import begin
from timewright.engine.surroundings import Surroundings
from timewright.engine.task import Task
from timewright.engine.work import attend
from timewright.resources import daemon_settings
from timewright.storage.kubernetes.lease import Lease
from timewright.storage.kubernetes.store import LeaseStore
from timewright.storage.protocol import StoreError
from timewright.storage.records import RunRecord

logger = logging.getLogger(__name__)

_MARGIN_SECONDS = 5.0
"""How much longer than it may drain the next leader is asked to wait for what this one still has to tell."""


class Leader:
    """One leadership, from the Lease taken to the Lease given up."""

    def __init__(self, parts: Parts, lease: Lease) -> None:
        """Lead by a Lease that this process holds; raises UnreadableLease."""
        self.tenure = Tenure(parts, lease)
        self.executor: Executor | None = None
        self.on_outcomes: Callable[[Task, Sequence[RunRecord]], None] = lambda task, runs: None
        """Called with runs that have their outcome."""
        self.on_lock_wait: Callable[[float], None] = lambda seconds: None
        """Called with the seconds that a run has waited for its locks."""
        self.others = RunsOfOthers(self.tenure)
        self._adoption = Adoption(self.tenure, self.others)
        self._by_hand = ByHand(parts.api, parts.known, self.store, self.writer)
        self._last_words = LastWords(self.tenure)

    async def run(self, stop: asyncio.Event) -> None:
        """Schedule until told to stop or until the Lease is lost, then let what is active come to its end."""
        await self._adoption.take_over()
        async with begin(self.store, self._surroundings(), logger.warning) as session:
            ledger, executor = session.ledger, session.executor
            loop = Loop(ledger, executor)
            self.tenure.locking, loop.locking.on_wait = loop.locking, self.on_lock_wait
            loop.deciding.on_undecided = self.store.rest
            self._connect(ledger, executor)
            self._adoption.remember_timings(loop)
            await loop.replace_tasks(list(self.tasks.values()))
            self.store.decided_until = loop.decided_until
            self._adoption.resume_jobs(executor)
            garbage.pass_over_what_stays()
            giving_back = GivingBack(self.tenure, loop, executor)
            following = Following(self.tenure, self._adoption, giving_back, self._by_hand, loop, executor)
            lasting = (
                self.writer.run,
                following.follow_tasks,
                following.follow_requests,
                functools.partial(self.others.settle_awaited, loop),
                functools.partial(attend, loop, ledger, self.store),
                functools.partial(self._stop_on, stop, executor),
            )
            async with giving_back, beside(lasting, logger.warning):
                try:
                    await loop.run()
                finally:
                    self._disconnect(loop)
            await self._leave(ledger, executor)

    # What others look at

    @property
    def store(self) -> LeaseStore:
        """The memory of this leadership."""
        return self.tenure.store

    @property
    def writer(self) -> Writer:
        """Who writes what there is to tell."""
        return self.tenure.writer

    @property
    def allowance(self) -> Allowance:
        """How many writes there may be."""
        return self.tenure.allowance

    @property
    def history(self) -> FullHistory | None:
        """Where all runs go, if there is a database for them."""
        return self.tenure.history

    @property
    def locking(self) -> Locking | None:
        """Who holds locks, and who waits for them, once runs are started."""
        return self.tenure.locking

    @property
    def job_places(self) -> JobPlaces:
        """How many Jobs there are, and who waits to create one."""
        return self.tenure.jobs.places

    @property
    def tasks(self) -> dict[str, ClusterTask]:
        """The tasks that run, by UID."""
        return self.tenure.running

    @property
    def is_lost(self) -> bool:
        """Whether another replica has the Lease by now."""
        return self.tenure.is_lost

    # Beginning and ending

    def _surroundings(self) -> Surroundings:
        # Tasks inherit all of the environment but the password of the database, which is the daemon's own.
        environ = {name: value for name, value in os.environ.items() if name != daemon_settings.STORE}
        return Surroundings(processes=self.tenure.configuration.processes, live=False, says=False, environ=environ)

    def _connect(self, ledger: Ledger, executor: Executor) -> None:
        """Have the parts tell each other what they have to know."""
        self.executor = executor
        executor.carrying.before_manual = self._by_hand.claim
        executor.on_outcomes = self._outcomes
        self.store.on_lost = self._lose
        self.tenure.jobs.may_act = self.writer.may_write = ledger.holds

    def _disconnect(self, loop: Loop) -> None:
        """Decide no more, and hear no more news."""
        until = loop.decided_until()
        self.store.decided_until = lambda: until
        self.tenure.known.on_task = lambda uid: None
        self.tenure.known.on_decided = lambda uid, decided: None
        self.tenure.known.on_run = lambda task, run: None

    async def _stop_on(self, stop: asyncio.Event, executor: Executor) -> None:
        await stop.wait()
        executor.begin_to_stop()

    def _lose(self) -> None:
        self.tenure.is_lost = True
        logger.warning("another replica leads by now")
        if self.executor is not None:
            self.executor.begin_to_stop()

    async def _leave(self, ledger: Ledger, executor: Executor) -> None:
        """Give the Lease up at once, then wait for what is active and tell of its end."""
        self.tenure.is_over = True
        self.tenure.jobs.may_act = lambda: False
        executor.detach()
        # From here on: what ends while the Lease is written may not be in what is written.
        executor.on_outcomes = self._outcomes_after_leaving
        seconds = self.tenure.configuration.drain_seconds
        if not self.is_lost:
            await ledger.record_finished()
            try:
                await self.store.hand_over(int(time.time() + seconds + _MARGIN_SECONDS))
                logger.info("gave the Lease up; %d runs go on to their end", len(executor.active))
            except StoreError as error:
                logger.warning("the Lease cannot be given up: %s", error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._last_words.tell_unwritten()
                await executor.drain()
        executor.stop_all("the daemon was asked to end, and its time to wait for runs is over")
        await executor.drain()
        await self.tenure.done()

    def _outcomes(self, task: Task, runs: Sequence[RunRecord]) -> None:
        self.on_outcomes(task, runs)
        tenure, key = self.tenure, task.key
        if key not in tenure.running or key not in tenure.store.books:
            # Its task was given back while it ran.
            tenure.spawn(self._last_words.tell_ends(list(runs)))
        elif tenure.outlasting or tenure.writer.left_open:
            # It may have come back since, or is about to be given back.
            left = tenure.writer.left_open.get(key, {})
            unsaid = [run for run in runs if run.run_id in left or (key, run.run_id) in tenure.outlasting]
            if unsaid:
                tenure.spawn(self._last_words.tell_ends(unsaid))

    def _outcomes_after_leaving(self, task: Task, runs: Sequence[RunRecord]) -> None:
        self.on_outcomes(task, runs)
        self.tenure.spawn(self._last_words.tell_ends(list(runs)))
