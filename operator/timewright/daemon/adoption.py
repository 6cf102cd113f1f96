"""How a leader takes charge of tasks: of all at once from the leader before, and of each that comes later."""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import replace

from timewright.cluster.api import JOBS, ApiError
from timewright.daemon.by_hand import manual_record
from timewright.daemon.job_work import JobWork
from timewright.daemon.known import KnownTask, read_status
from timewright.daemon.runs_of_others import RunsOfOthers
from timewright.daemon.task import ClusterTask
from timewright.daemon.tenure import Tenure
from timewright.decisions.overlap import UNLIMITED, most_active
from timewright.decisions.task_state import OpenPhase, OpenRun
from timewright.desired import names
from timewright.desired.tick_job import tick_run_name
from timewright.engine.executor import Executor
from timewright.engine.locking import demand_of
from timewright.engine.loop import Loop
from timewright.resources.vocabulary import Outcome, Phase, Trigger
from timewright.storage.kubernetes.book import Book
from timewright.storage.kubernetes.takeover import Timing

_BATCH = 1_000
"""How many tasks are adopted before the Lease is renewed: thirty thousand take longer than it may be left alone."""


class Adoption:
    """Reads from a task's status, its TaskRuns and the Lease where to go on with it."""

    def __init__(self, tenure: Tenure, others: RunsOfOthers) -> None:
        """Take charge for one leadership."""
        self._tenure, self._others = tenure, others
        self._told_timings: dict[str, Timing] = {}
        """By UID, the schedule that a task's status told when it was taken charge of."""

    async def take_over(self) -> None:
        """Go on with every task from where the leader before was; raises StoreError when the Lease is lost by then."""
        known, store, writer = self._tenure.known, self._tenure.store, self._tenure.writer
        known.on_task, known.on_run = self._tenure.changed.put_nowait, self._others.hear
        known.on_decided = self._tenure.writer.hear
        mine = [task for task in known.tasks.values() if task.mine or task.given_back]
        if store.is_blank and any("decided" in task.raw_status for task in mine):
            # Somebody has deleted the Lease: what was claimed is not known, so nothing may count as unclaimed.
            store.assume_claimed(int(time.time()))
        for number, task in enumerate(mine, 1):
            self.adopt(task)
            if number % _BATCH == 0:
                await store.renew("")
        store.ready()
        store.on_change = writer.note
        for task in mine:
            if task.given_back:
                self._tenure.changed.put_nowait(task.uid)
            elif read_status(task.raw_status).observed_generation != task.generation:
                writer.note(task.uid, urgent=True)
        for name in known.open_by_hand:
            self._tenure.asked.put_nowait(name)
        for task_name, runs in known.runs.items():
            for name in [name for name, run in runs.items() if run.own and run.outcome is None]:
                self._others.settle_stray(task_name, name)

    def adopt(self, task: KnownTask) -> None:
        """Take charge of a task, as its status tells of it."""
        tenure = self._tenure
        if tenure.history is not None:
            tenure.history.learn(task.uid, task.name)
        book = self._open_book(task)
        if task.given_back:
            tenure.store.rest(task.uid, max(book.begins_at, book.state.watermark or 0))
        self._add_runs_by_hand(task, book)
        if task.template is not None:
            self._sort_runs_of_jobs(task, book)
        elif tenure.store.draining_until > time.time():
            self._others.wait_for(task.uid, book.open)
            tenure.store.keep_proven(task.uid)
        for name in list(tenure.known.runs[task.name]):
            self._others.count(task, name)
        if task.task is not None:
            # Who takes charge of one that is to be given back starts nothing of it: the operator may be taking it back.
            tasks = tenure.leaving if task.given_back else tenure.running
            tasks[task.uid] = self.runnable(task, task.task)
            self._hold_locks(task.task, book)

    def remember_timings(self, loop: Loop) -> None:
        """Tell of schedules by which ticks may have been due while nobody was there, and which were changed then."""
        for uid, timing in self._told_timings.items():
            loop.remember(uid, timing.schedule_id, timing.ticks)
        self._told_timings.clear()

    def runnable(self, known: KnownTask, task: ClusterTask) -> ClusterTask:
        """Return a task whose runs are Jobs together with what makes them."""
        if known.template is None:
            return task
        work = JobWork(self._tenure.jobs, task, known.template, known.read.spec.image_pull_deadline_seconds)
        for run in self._tenure.known.open_by_hand.values():
            if run.task_name == known.name:
                work.uids[run.name] = run.uid
        return replace(task, definition=replace(task.definition, work=work))

    def resume_jobs(self, executor: Executor) -> None:
        """Follow the Jobs that another leader made, and make those that it had claimed and not come to make."""
        for uid, task in (*self._tenure.running.items(), *self._tenure.leaving.items()):
            book = self._tenure.store.book(uid)
            if book is None or not isinstance(task.definition.work, JobWork):
                continue
            self._tenure.spawn(self._delete_ended(task, book))
            for run in book.state.open_runs:
                record = book.open.get(run.run_id)
                if (
                    record is not None
                    and run.phase is not OpenPhase.QUEUED
                    and (uid, run.run_id) not in executor.active
                ):
                    executor.start(task, record, resumed=True)

    async def _delete_ended(self, task: ClusterTask, book: Book) -> None:
        """Delete Jobs of which the leader before has told that it ends them, and did not come to do so."""
        jobs, runs = self._tenure.jobs, self._tenure.known.runs[task.name]
        for job in [job for job in jobs.of_task(task.key) if job.active and not job.deleting]:
            run = runs.get(job.task_run_name)
            if run is not None and run.outcome is Outcome.CANCELLED and job.task_run_name not in book.open:
                with contextlib.suppress(ApiError, OSError):
                    await jobs.api.delete(JOBS, jobs.namespace, job.name, job.uid)

    def _sort_runs_of_jobs(self, task: KnownTask, book: Book) -> None:
        """Take runs that have a Job for such as go on.

        Of one without, the leader before may have found that there was no room for it: then it waits for room. Where
        there always is room, it has its Job made.
        """
        jobs, by_hand = self._tenure.jobs, self._tenure.known.open_by_hand
        is_limited = task.task is not None and most_active(task.task.policies) < UNLIMITED
        open_runs = []
        for run in book.state.open_runs:
            asked = by_hand.get(run.run_id)
            name = run.run_id if asked is None else names.manual_job_name(run.run_id, asked.uid)
            job = jobs.find(name)
            phase = OpenPhase.QUEUED if is_limited and job is None else run.phase
            if job is not None and not job.finished:
                jobs.places.take_at_once(name)  # before anybody else is given its place
            book.open[run.run_id].phase = phase
            open_runs.append(run._replace(phase=phase, proven=True))
        book.state = book.state._replace(open_runs=tuple(open_runs))

    def _open_book(self, task: KnownTask) -> Book:
        tenure, status = self._tenure, read_status(task.raw_status)
        told = task.told(tenure.known.namespace, status)
        if told.timing is not None:
            self._told_timings[task.uid] = told.timing
        recorded = {
            run.tick: run.outcome
            for run in tenure.known.runs[task.name].values()
            if run.own and not run.manual and run.tick is not None and run.outcome is not None
        }
        counters = {outcome: getattr(status.counters, outcome.value.lower()) for outcome in Outcome}
        success = status.last_success_time
        tenure.writer.counted[task.uid] = set(status.counted_runs)
        tenure.outlasting -= {(task.uid, name) for name in status.counted_runs}
        return tenure.store.adopt(
            task.uid,
            told,
            task.present(),
            counters=counters,
            run_id_of=functools.partial(tick_run_name, task.name),
            recorded=recorded,
            last_success_at=None if success is None else int(success.timestamp()),
            retention=None if task.task is None else task.task.retention,
        )

    def _hold_locks(self, task: ClusterTask, book: Book) -> None:
        """Let runs that the leader before has started keep their locks until it is known how they have ended."""
        if task.policies.locks:
            for run in book.open.values():
                demand = demand_of(task, run)
                for name in demand.slots if run.phase is not OpenPhase.QUEUED else ():
                    self._tenure.store.hold(name, demand.holder)

    def _add_runs_by_hand(self, task: KnownTask, book: Book) -> None:
        """Add the runs by hand that the leader before had started: their TaskRuns tell of them, and nothing else."""
        known = self._tenure.known
        for run in [run for run in known.open_by_hand.values() if run.task_name == task.name]:
            if run.phase is Phase.RUNNING and run.daemon == known.daemon:
                record = manual_record(task.uid, run)
                state = book.state
                open_run = OpenRun(run.name, record.scheduled_at, Trigger.MANUAL, proven=False)
                book.state = state._replace(open_runs=(*state.open_runs, open_run))
                book.open[run.name] = record
