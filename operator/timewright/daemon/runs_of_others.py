"""Runs that this process has not started and of which it hears by TaskRuns: they are counted, awaited, or settled.

Some were made by hand or by the task's CronJob and are to be counted, by their names. Some go on in the process of the
leader before, which tells of their end. Of some nobody will ever tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

from timewright.cluster.api import TASK_RUNS, ApiError
from timewright.daemon import documents
from timewright.daemon.by_hand import leave_to_operator
from timewright.daemon.known import KnownTask
from timewright.daemon.tenure import Tenure
from timewright.decisions.observed import ObservedJob
from timewright.engine.carrying import take_result
from timewright.engine.loop import Loop
from timewright.resources.vocabulary import Outcome, Phase, Reason
from timewright.storage.records import RunRecord

PATIENCE_SECONDS = 5.0
"""How many seconds longer than it said the leader before may take to tell of the end of its runs."""

_LOOK_SECONDS = 1.0

NOBODY_CAN_TELL = "whoever ran it is gone, and nobody can tell how it ended"


class RunsOfOthers:
    """What one leadership makes of them."""

    def __init__(self, tenure: Tenure) -> None:
        """Begin with none that is awaited."""
        self._tenure = tenure
        self._awaited: set[tuple[str, str]] = set()
        """Task and name of runs that go on in the process of the leader before."""
        self._stray: set[tuple[str, str]] = set()
        """The names of tasks and of TaskRuns of which it may yet tell."""

    def hear(self, task_name: str, name: str) -> None:
        """Take note of a TaskRun that has come or changed."""
        known = self._tenure.known
        if name in known.open_by_hand:
            self._tenure.asked.put_nowait(name)
        task = known.task_named(task_name)
        if task is None or self._tenure.store.book(task.uid) is None:
            return
        self._take_awaited(task, name)
        self.count(task, name)

    def count(self, task: KnownTask, name: str) -> None:
        """Count a run that the watermark tells nothing of.

        Such are those by hand, those that the task's CronJob started, and those that outlasted the task's last stay.
        """
        run, book = self._tenure.known.runs[task.name].get(name), self._tenure.store.book(task.uid)
        counted = self._tenure.writer.counted.get(task.uid)
        if run is None or run.outcome is None or book is None or counted is None or name in counted:
            return
        is_told_of = run.own and not run.manual and (task.uid, name) not in self._tenure.outlasting
        if is_told_of or name in book.open:
            return
        if any(name == each.run_id for each in book.by_hand):
            return  # it is counted as this leader ended it; one that was deposed has told more of it since
        counted.add(name)
        self._tenure.outlasting.discard((task.uid, name))
        book.counters[run.outcome] = book.counters.get(run.outcome, 0) + 1
        self._tenure.writer.note(task.uid)

    # In the process of the leader before

    def wait_for(self, uid: str, run_ids: Iterable[str]) -> None:
        """Expect the leader before to tell how runs of a task ended."""
        self._awaited |= {(uid, run_id) for run_id in run_ids}

    async def settle_awaited(self, loop: Loop) -> None:
        """Take for lost what the leader before has not told of in time."""
        store = self._tenure.store
        while self._awaited or self._stray:
            await asyncio.sleep(_LOOK_SECONDS)
            if time.time() < store.draining_until + PATIENCE_SECONDS:
                continue
            for task_name, name in self._stray:
                self.settle_stray(task_name, name)
            self._stray.clear()
            left, self._awaited = self._awaited, set()
            for uid, run_id in left:
                await store.abandon(uid, run_id)
            await loop.decide({uid for uid, _ in left})

    def _take_awaited(self, task: KnownTask, name: str) -> None:
        run, book = self._tenure.known.runs[task.name].get(name), self._tenure.store.book(task.uid)
        if (task.uid, name) not in self._awaited or book is None or run is None or run.outcome is None:
            return
        record = book.open.get(name)
        self._awaited.discard((task.uid, name))
        if record is not None:
            if run.manual:
                self._tenure.writer.counted[task.uid].add(name)
            record.phase, record.outcome, record.finished_at = None, run.outcome, float(run.finished_at)
            self._tenure.spawn(self._finish(record))

    async def _finish(self, record: RunRecord) -> None:
        await self._tenure.store.finish("", [record])
        self._tenure.release_locks(record)
        book = self._tenure.store.book(record.task)
        if book is not None:
            book.forget((record,))  # its TaskRun tells more than is known here
        self._tenure.changed.put_nowait(record.task)

    # In nobody's process

    def settle_stray(self, task_name: str, name: str) -> None:
        """Settle a TaskRun that says it runs, and that nobody knows of: its task was given back before it ended."""
        known, store = self._tenure.known, self._tenure.store
        task = known.task_named(task_name)
        book = None if task is None else store.book(task.uid)
        asked = known.open_by_hand.get(name)
        if book is not None and (asked is not None or name in book.open):
            return
        if store.draining_until > time.time():
            self._stray.add((task_name, name))
        elif asked is not None and asked.phase is not Phase.RUNNING:
            self._tenure.spawn(leave_to_operator(self._tenure.api, known, name))
        else:
            self._tenure.spawn(self._write_stray(task_name, name))

    async def _write_stray(self, task_name: str, name: str) -> None:
        api, known = self._tenure.api, self._tenure.known
        job = await self._job_that_ended(name)
        run, task = known.runs[task_name].get(name), known.task_named(task_name)
        if run is None or run.outcome is not None or self._tenure.is_over:
            return
        if run.says_nothing:  # its leader ended in the middle of writing it; counters and Lease tell of the run
            with contextlib.suppress(ApiError, OSError):
                await api.delete(TASK_RUNS, known.namespace, name, run.uid)
            return
        if task is not None:  # when it was given back it was not counted, and it may have come back
            self._tenure.outlasting.add((task.uid, name))
        record = RunRecord("", name, run.tick or 0)
        if job is None:
            record.end(Outcome.LOST, Reason.OWNER_GONE, NOBODY_CAN_TELL)
        else:
            take_result(await self._tenure.jobs.result(job), record)
        made = None if job is None else documents.JobOfRun(job.name, job.uid)
        status = documents.run_status(record, made, int(time.time()))
        with contextlib.suppress(ApiError, OSError):
            await api.merge_patch(TASK_RUNS, known.namespace, name, {"status": status}, "status")

    async def _job_that_ended(self, name: str) -> ObservedJob | None:
        """Wait for the end of the Job of a run, and return it; None where the run has none, or none any more."""
        jobs = self._tenure.jobs
        job = jobs.find(name)
        while job is not None and job.active and not self._tenure.is_over:
            await asyncio.sleep(_LOOK_SECONDS)
            job = jobs.find(name)
        return job if job is not None and job.finished else None
