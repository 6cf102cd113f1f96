"""What the replica that holds the Lease does: it takes the tasks over, schedules them, and hands them on."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from timewright.cluster.api import TASK_RUNS, Api, ApiError
from timewright.daemon import documents
from timewright.daemon.by_hand import ByHand, manual_record
from timewright.daemon.configuration import Configuration
from timewright.daemon.history import FullHistory
from timewright.daemon.job_places import JobPlaces
from timewright.daemon.jobs import Jobs, JobWork
from timewright.daemon.known import Known, KnownTask, read_status
from timewright.daemon.task import ClusterTask
from timewright.daemon.writer import Writer, to_the_end
from timewright.daemon.writes import Allowance
from timewright.decisions.task_state import OpenRun
from timewright.desired.tick_job import tick_run_name
from timewright.engine import garbage
from timewright.engine.executor import Executor, Surroundings
from timewright.engine.ledger import Ledger
from timewright.engine.loop import Loop
from timewright.engine.session import begin
from timewright.engine.task import Task
from timewright.engine.work import attend
from timewright.resources import daemon_settings
from timewright.resources.vocabulary import Outcome, Phase, Reason, Trigger
from timewright.storage.kubernetes.lease import Lease
from timewright.storage.kubernetes.store import LeaseStore
from timewright.storage.kubernetes.takeover import Timing
from timewright.storage.protocol import StoreError
from timewright.storage.records import RunRecord

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_BATCH = 1_000
_TELL_SECONDS = 10.0
_LOST = "whoever ran it is gone, and nobody can tell how it ended"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a leader works with, which outlives it where it only stands by afterwards."""

    api: Api
    configuration: Configuration
    known: Known
    jobs: Jobs
    history: FullHistory | None = None
    """Where all runs are told to, if they are told to anybody besides the cluster."""


class Leader:
    """One leadership, from the Lease taken to the Lease given up."""

    def __init__(self, parts: Parts, lease: Lease) -> None:
        """Lead by a Lease that this process holds; raises StoreError when what is written on it cannot be read."""
        self._parts = parts
        self._known, self._jobs, self._api = parts.known, parts.jobs, parts.api
        self.store = LeaseStore(lease)
        self.allowance = Allowance(parts.configuration.writes_per_minute)
        self.writer = Writer(parts.api, parts.known, parts.jobs, self.store, self.allowance)
        self.history = parts.history
        if self.history is not None:
            self.store.on_end = self.store.on_inherited = self.history.note
            self.writer.before_status = self.history.keep_ahead
        self.executor: Executor | None = None
        self.is_lost = False
        """Whether another replica has the Lease by now."""
        self.on_outcomes: Callable[[Task, Sequence[RunRecord]], None] = lambda task, runs: None
        """Called with runs that have their outcome."""
        self._by_hand = ByHand(parts.api, parts.known, self.store, self.writer)
        self._running: dict[str, ClusterTask] = {}
        self._told_timings: dict[str, Timing] = {}
        """By UID, the schedule that a task's status told when it was taken charge of."""
        self._changed: asyncio.Queue[str] = asyncio.Queue()
        self._asked: asyncio.Queue[str] = asyncio.Queue()
        self._returning: dict[str, asyncio.Task[None]] = {}
        self._drained: set[tuple[str, str]] = set()
        self._background: set[asyncio.Task[None]] = set()

    @property
    def job_places(self) -> JobPlaces:
        """How many Jobs there are, and who waits to create one."""
        return self._jobs.places

    @property
    def tasks(self) -> dict[str, ClusterTask]:
        """The tasks that run, by UID."""
        return self._running

    async def run(self, stop: asyncio.Event) -> None:
        """Schedule until told to stop or until the Lease is lost, then let what is active come to its end."""
        await self._take_over()
        processes, environ = self._parts.configuration.processes, _environment_of_tasks()
        surroundings = Surroundings(processes=processes, live=False, says=False, environ=environ)
        async with begin(self.store, surroundings, logger.warning) as session:
            ledger, executor = session.ledger, session.executor
            self.executor = executor
            loop = Loop(ledger, executor)
            executor.before_manual = self._by_hand.claim
            executor.on_outcomes = self._outcomes
            self.store.on_lost = self._lose
            self._jobs.may_create = self.writer.may_write = ledger.holds
            self._remember_timings(loop)
            await loop.replace_tasks(list(self._running.values()))
            self.store.decided_until = loop.decided_until
            self._resume_jobs(executor)
            garbage.pass_over_what_stays()
            beside = [
                asyncio.ensure_future(each)
                for each in (
                    self.writer.run(),
                    self._follow_tasks(loop, executor),
                    self._follow_requests(loop, executor),
                    self._settle_drained(loop),
                    attend(loop, ledger, self.store),
                    self._stop_on(stop, executor),
                )
            ]
            try:
                await loop.run()
            finally:
                until = loop.decided_until()
                self.store.decided_until = lambda: until
                self._known.on_task = lambda uid: None
                self._known.on_run = lambda task, run: None
                beside += self._returning.values()
                for each in beside:
                    each.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
            await self._leave(ledger, executor)

    # Taking over

    async def _take_over(self) -> None:
        """Go on with every task from where the leader before was; raises StoreError when the Lease is lost by then."""
        known, store = self._known, self.store
        known.on_task, known.on_run = self._changed.put_nowait, self._hear_of_run
        self.writer.running = self._running.get
        mine = [task for task in known.tasks.values() if task.mine or task.given_back]
        if not store.has_claimed and any("decided" in task.raw_status for task in mine):
            # Somebody has deleted the Lease: what was claimed is not known, so nothing may count as unclaimed.
            store.assume_claimed(int(time.time()))
        for number, task in enumerate(mine, 1):
            self._adopt(task)
            if number % _BATCH == 0:
                await store.renew("")  # thirty thousand tasks take longer than the Lease may be left alone
        store.ready()
        store.on_change = self.writer.note
        for task in mine:
            if task.given_back:
                self._changed.put_nowait(task.uid)
            elif read_status(task.raw_status).observed_generation != task.generation:
                self.writer.waiting.add(task.uid, urgent=True)
        for name in known.open_by_hand:
            self._asked.put_nowait(name)
        for task_name, runs in known.runs.items():
            for name in [name for name, run in runs.items() if run.own and run.outcome is None]:
                self._note_stray(task_name, name)

    def _adopt(self, task: KnownTask) -> None:
        """Take charge of a task, as its status tells of it."""
        if self.history is not None:
            self.history.learn(task.uid, task.name)
        status = read_status(task.raw_status)
        told = task.told(self._known.namespace, status)
        if told.timing is not None:
            self._told_timings[task.uid] = told.timing
        runs = self._known.runs[task.name]
        recorded = {
            run.tick: run.outcome
            for run in runs.values()
            if run.own and not run.manual and run.tick is not None and run.outcome is not None
        }
        counters = {outcome: getattr(status.counters, outcome.value.lower()) for outcome in Outcome}
        success = status.last_success_time
        book = self.store.adopt(
            task.uid,
            told,
            task.present(),
            counters=counters,
            run_id_of=functools.partial(tick_run_name, task.name),
            recorded=recorded,
            last_success_at=None if success is None else int(success.timestamp()),
            retention=None if task.task is None else task.task.retention,
        )
        self.writer.counted[task.uid] = set(status.counted_runs)
        for run in [run for name, run in self._known.open_by_hand.items() if run.task_name == task.name]:
            if run.phase is Phase.RUNNING and run.daemon == self._known.daemon:
                record = manual_record(task.uid, run)
                state = book.state
                open_run = OpenRun(run.name, record.scheduled_at, Trigger.MANUAL, proven=False)
                book.state = state._replace(open_runs=(*state.open_runs, open_run))
                book.open[run.name] = record
        if task.template is not None:
            self.store.keep_proven(task.uid)
        elif self.store.draining_until > time.time():
            self._drained |= {(task.uid, run_id) for run_id in book.open}
            self.store.keep_proven(task.uid)
        for name in list(runs):
            self._count_by_name(task, name)
        if task.task is not None:
            self._running[task.uid] = self._runnable(task, task.task)

    def _remember_timings(self, loop: Loop) -> None:
        """Tell of schedules by which ticks may have been due while nobody was there, and which were changed then."""
        for uid, timing in self._told_timings.items():
            loop.remember(uid, timing.schedule_id, timing.ticks)
        self._told_timings.clear()

    def _runnable(self, known: KnownTask, task: ClusterTask) -> ClusterTask:
        """Return a task whose runs are Jobs together with what makes them."""
        if known.template is None:
            return task
        work = JobWork(self._jobs, task, known.template, known.read.spec.image_pull_deadline_seconds)
        for run in self._known.open_by_hand.values():
            if run.task_name == known.name:
                work.uids[run.name] = run.uid
        return replace(task, definition=replace(task.definition, work=work))

    def _resume_jobs(self, executor: Executor) -> None:
        """Follow the Jobs that another leader made, and make those that it had claimed and not come to make."""
        for uid, task in self._running.items():
            book = self.store.book(uid)
            if book is None or not isinstance(task.definition.work, JobWork):
                continue
            for run in book.state.open_runs:
                record = book.open.get(run.run_id)
                if record is not None and run.phase.value != "Queued" and (uid, run.run_id) not in executor.active:
                    executor.start(task, record, resumed=True)

    def _note_stray(self, task_name: str, name: str) -> None:
        """Settle a TaskRun that says it runs, and that nobody knows of: its task was given back before it ended."""
        task = self._known.task_named(task_name)
        book = None if task is None else self.store.book(task.uid)
        if book is not None and (name in book.open or name in self._known.open_by_hand):
            return
        if self.store.draining_until > time.time() or name in self._known.open_by_hand:
            return
        self._spawn(self._write_stray(task_name, name))

    async def _write_stray(self, task_name: str, name: str) -> None:
        run = self._known.runs[task_name].get(name)
        if run is None:
            return
        if run.says_nothing:  # its leader ended in the middle of writing it; counters and Lease tell of the run
            with contextlib.suppress(ApiError, OSError):
                await self._api.delete(TASK_RUNS, self._known.namespace, name, run.uid)
            return
        record = RunRecord("", name, run.tick or 0, outcome=Outcome.LOST, reason=Reason.OWNER_GONE.value, message=_LOST)
        status = documents.run_status(record, None, int(time.time()))
        with contextlib.suppress(ApiError, OSError):
            await self._api.merge_patch(TASK_RUNS, self._known.namespace, name, {"status": status}, "status")

    # What changes meanwhile

    async def _follow_tasks(self, loop: Loop, executor: Executor) -> None:
        """Let each change of a task take effect, one after the other."""
        while True:
            uid = await self._changed.get()
            try:
                await self._follow_task(uid, loop, executor)
            except StoreError as error:
                logger.warning("%s; trying again", error)
                asyncio.get_running_loop().call_later(1.0, self._changed.put_nowait, uid)

    async def _follow_task(self, uid: str, loop: Loop, executor: Executor) -> None:
        task, book = self._known.tasks.get(uid), self.store.book(uid)
        is_ours = task is not None and (task.mine or (task.unsaid and book is not None))
        if task is None or not (is_ours or task.given_back):
            if book is not None and uid not in self._returning:
                why = "its task was deleted" if task is None else "its task is decided by somebody else"
                self._let_go(uid, loop)
                executor.stop_task(uid, why)
            return
        if task.given_back:
            if uid not in self._returning:
                if book is None:
                    self._adopt(task)
                self._returning[uid] = asyncio.ensure_future(self._give_back(task.uid, loop, executor))
            return
        if book is None:
            self._adopt(task)
            self._remember_timings(loop)
        elif task.task is not None:
            self._running[uid] = self._runnable(task, task.task)
            book.retain(task.task.retention)
        self.writer.waiting.add(uid, urgent=True)
        if task.task is not None:
            await loop.replace_task(self._running[uid])

    def _let_go(self, uid: str, loop: Loop) -> None:
        loop.remove_task(uid)
        self._running.pop(uid, None)
        self.store.forget(uid)
        self.writer.waiting.discard(uid)
        self.writer.counted.pop(uid, None)

    async def _give_back(self, uid: str, loop: Loop, executor: Executor) -> None:
        """Give a task to the operator: claim no more, let all that was claimed start, and write up to where it is."""
        try:
            until = await loop.release_task(uid)
            deadline = time.monotonic() + 30.0
            is_begun = executor.has_unstarted(uid)
            while is_begun and time.monotonic() < deadline:
                await asyncio.sleep(_LOOK_SECONDS)
                is_begun = executor.has_unstarted(uid)
            book, task = self.store.book(uid), self._known.tasks.get(uid)
            if book is None or task is None:
                return
            await self._end_queued(uid)
            until = max(until, book.state.watermark or 0) if uid in self._running else book.begins_at
            is_told = await to_the_end(self._write_back(uid, until))
            while not is_told:
                await asyncio.sleep(1.0)
                is_told = await to_the_end(self._write_back(uid, until))
            self._let_go(uid, loop)
        finally:
            self._returning.pop(uid, None)

    async def _write_back(self, uid: str, until: int) -> bool:
        book, task = self.store.book(uid), self._known.tasks.get(uid)
        if book is None or task is None:
            return True
        try:
            for run in list(book.open.values()):
                await self.writer.write_run(task, run)
            await self.writer.write(uid, handed_back_at=until)
        except (ApiError, OSError) as error:
            self.writer.report(uid, error)
            return False
        logger.info("gave back %s, decided until %s", task.name, documents.at(until))
        return True

    async def _end_queued(self, uid: str) -> None:
        """End the runs of a task that wait for room: who decides its ticks from now on knows nothing of them."""
        book = self.store.book(uid)
        if book is None:
            return
        waiting = [run for run in book.open.values() if run.phase is not None and run.phase.value == "Queued"]
        for run in waiting:
            run.phase, run.outcome, run.reason = None, Outcome.CANCELLED, Reason.SCHEDULE_CHANGED.value
            run.message = "it waited for room when the task's mode or daemon was changed"
        await self.store.finish("", waiting)

    async def _follow_requests(self, loop: Loop, executor: Executor) -> None:
        """Start what people ask for, in the order in which they ask."""
        while True:
            name = await self._asked.get()
            run = self._known.open_by_hand.get(name)
            if run is None or not self._by_hand.wants(run):
                continue
            if not self.writer.may_write():  # it waits for the Lease, rather than being missed
                asyncio.get_running_loop().call_later(1.0, self._asked.put_nowait, name)
                continue
            task = self._known.task_named(run.task_name)
            try:
                await self._by_hand.start(run, loop, executor, self._running.get(task.uid) if task else None)
            except (ApiError, OSError, StoreError) as error:
                logger.warning("TaskRun %s: %s; trying again", name, error or type(error).__name__)
                asyncio.get_running_loop().call_later(1.0, self._asked.put_nowait, name)

    def _hear_of_run(self, task_name: str, name: str) -> None:
        """Take note of a TaskRun that has come or changed."""
        if name in self._known.open_by_hand:
            self._asked.put_nowait(name)
        task = self._known.task_named(task_name)
        if task is None or self.store.book(task.uid) is None:
            return
        self._take_drained(task, name)
        self._count_by_name(task, name)

    def _count_by_name(self, task: KnownTask, name: str) -> None:
        """Count a run that the watermark tells nothing of: one by hand, or one that the task's CronJob started."""
        run, book = self._known.runs[task.name].get(name), self.store.book(task.uid)
        counted = self.writer.counted.get(task.uid)
        if run is None or run.outcome is None or book is None or counted is None or name in counted:
            return
        if (run.own and not run.manual) or name in book.open:
            return
        counted.add(name)
        book.counters[run.outcome] = book.counters.get(run.outcome, 0) + 1
        self.writer.waiting.add(task.uid, urgent=False)

    # Runs that go on in the process of the leader before

    def _take_drained(self, task: KnownTask, name: str) -> None:
        run, book = self._known.runs[task.name].get(name), self.store.book(task.uid)
        if (task.uid, name) not in self._drained or book is None or run is None or run.outcome is None:
            return
        record = book.open.get(name)
        self._drained.discard((task.uid, name))
        if record is not None:
            if run.manual:
                self.writer.counted[task.uid].add(name)
            record.phase, record.outcome, record.finished_at = None, run.outcome, float(run.finished_at)
            self._spawn(self._finish_drained(record))

    async def _finish_drained(self, record: RunRecord) -> None:
        await self.store.finish("", [record])
        book = self.store.book(record.task)
        if book is not None:
            book.forget((record,))  # its TaskRun tells more than is known here
        self._changed.put_nowait(record.task)

    async def _settle_drained(self, loop: Loop) -> None:
        """Take for lost what the leader before has not told of in time."""
        while self._drained:
            await asyncio.sleep(1.0)
            if time.time() < self.store.draining_until + 5.0:
                continue
            left, self._drained = self._drained, set()
            for uid, run_id in left:
                await self.store.abandon(uid, run_id)
            await loop.decide({uid for uid, _ in left})

    # Leaving

    async def _stop_on(self, stop: asyncio.Event, executor: Executor) -> None:
        await stop.wait()
        executor.begin_to_stop()

    def _lose(self) -> None:
        self.is_lost = True
        logger.warning("another replica leads by now")
        if self.executor is not None:
            self.executor.begin_to_stop()

    async def _leave(self, ledger: Ledger, executor: Executor) -> None:
        """Give the Lease up at once, then wait for what is active and tell of its end."""
        self._jobs.may_create = lambda: False
        executor.detach()
        # From here on: what ends while the Lease is written may not be in what is written.
        executor.on_outcomes = self._outcomes_after_leaving
        seconds = self._parts.configuration.drain_seconds
        if not self.is_lost:
            await ledger.record_finished()
            try:
                await self.store.hand_over(int(time.time() + seconds + 5.0))
                logger.info("gave the Lease up; %d runs go on to their end", len(executor.active))
            except StoreError as error:
                logger.warning("the Lease cannot be given up: %s", error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._tell_unwritten()
                await executor.drain()
        executor.stop_all("the daemon was asked to end, and its time to wait for runs is over")
        await executor.drain()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _tell_unwritten(self) -> None:
        """Write what nobody has read yet of runs by hand, and of why others did not succeed.

        The Lease tells of ticks alone, and of these no more than how many ended in each way.
        """
        books = self.store.books.values()
        by_hand = [run for book in books for run in book.by_hand]
        others = [run for book in books for run in book.others]
        for run in by_hand + sorted(others, key=lambda run: run.scheduled_at):
            await self._tell_end([run])
            await asyncio.sleep(self.allowance.take(2))

    async def _tell_end(self, runs: Sequence[RunRecord]) -> None:
        """Write how runs ended that went on after the Lease was given up: the next leader waits for that."""
        for run in runs:
            task = self._known.tasks.get(run.task)
            if task is None or self.is_lost:
                continue
            for _ in range(3):
                try:
                    await self.writer.write_run(task, run)
                    break
                except (ApiError, OSError) as error:
                    logger.warning("TaskRun %s: %s; trying again", run.run_id, error or type(error).__name__)
                    await asyncio.sleep(0.5)

    def _outcomes_after_leaving(self, task: Task, runs: Sequence[RunRecord]) -> None:
        self.on_outcomes(task, runs)
        self._spawn(self._tell_end(list(runs)))

    def _outcomes(self, task: Task, runs: Sequence[RunRecord]) -> None:
        self.on_outcomes(task, runs)
        if task.key not in self._running or self.store.book(task.key) is None:
            self._spawn(self._tell_end(list(runs)))  # its task was given back while it ran

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _environment_of_tasks() -> dict[str, str]:
    """Return what the processes of tasks inherit: all but the password of the database, which is the daemon's own."""
    return {name: value for name, value in os.environ.items() if name != daemon_settings.STORE}
