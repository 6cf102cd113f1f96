"""Writes what has happened: TaskRuns and statuses, as many as there may be, failures first.

The leader's memory is the truth until it is written. A task's runs are thinned before that: no more are written than
the task keeps, however many there were.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from timewright.cluster.api import JOBS, SCHEDULED_TASKS, Api, ApiError, Manifest
from timewright.cluster.patching import difference
from timewright.daemon import documents
from timewright.daemon.jobs import Jobs
from timewright.daemon.known import Known, KnownTask
from timewright.daemon.run_records import RunRecords, ask, thinned
from timewright.daemon.task import ClusterTask
from timewright.daemon.trouble import text_of
from timewright.daemon.writes import FIRST_STATUS_COST, Allowance, Urgency, Waiting
from timewright.desired import names
from timewright.resources.vocabulary import Outcome
from timewright.runner.stop import StopRequest
from timewright.storage.kubernetes.book import Book, Snapshot, Written
from timewright.storage.kubernetes.store import LeaseStore
from timewright.storage.protocol import Retention
from timewright.storage.records import RunRecord

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Writer:
    """Writes for the leader."""

    def __init__(self, api: Api, known: Known, jobs: Jobs, store: LeaseStore, allowance: Allowance) -> None:
        """Write what a store remembers."""
        self.waiting = Waiting()
        self.running: Callable[[str], ClusterTask | None] = lambda uid: None
        """Asked for the task that runs under a key, which may be an older generation than the newest."""
        self.may_write: Callable[[], bool] = lambda: True
        """Whether nobody else can have taken over, so that what is written is not out of date."""
        self.before_status: Callable[[], Awaitable[object]] = _nothing
        """Awaited between the look at what there is to tell and the telling."""
        self.counted: dict[str, set[str]] = {}
        """By task: names of TaskRuns that are counted by their names."""
        self.left_open: dict[str, dict[str, RunRecord]] = {}
        """By task that is given back: the runs that have no outcome in what its status tells, by their ids.

        From then on until it is let go, nothing else is written of the task.
        """
        self.records = RunRecords(api, known, jobs, self._check_leading)
        """How runs are written one by one."""
        self._api, self._known, self._jobs, self._store = api, known, jobs, store
        self._books = store.books
        self._allowance = allowance
        self._writing: dict[str, asyncio.Lock] = {}

    def note(self, key: str, *, urgent: bool = False) -> None:
        """Take note of a change to a task, in the store's memory or, where that is urgent, in what it says."""
        known, book = self.waiting.urgency_of(key), self._books.get(key)
        if known is Urgency.NOW or book is None:
            return
        if not (known is None or urgent or book.trouble is not None or book.others or book.by_hand):
            return  # it is new or has numbers to tell, as it had before
        if _is_new(book):
            self.waiting.add(key, Urgency.FIRST)
        else:
            is_urgent = urgent or book.trouble is not None or bool(book.by_hand)
            self.waiting.add(key, Urgency.NOW if is_urgent else Urgency.LATER)

    def hear(self, key: str, decided: Manifest) -> None:
        """Take note of what a status says by now; one that a deposed leader had sent is written anew at once."""
        book = self._store.book(key)
        written = Written(None, decided.get("revision"), decided.get("scheduleId"), bool(decided.get("suspended")))
        if book is not None and book.hear(written):
            self.note(key, urgent=True)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            key = await self.waiting.next()
            if not self.may_write():
                self.waiting.add(key, Urgency.NOW)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            book = self._store.book(key)
            is_first = book is not None and _is_new(book)
            try:
                writes = await to_the_end(self.write(key))
            except Exception as error:  # noqa: BLE001 - what there is to tell of other tasks is not to wait for this one
                writes = 1
                self.report(key, error)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._again, key)
            wait = self._allowance.take(writes, writes * FIRST_STATUS_COST if is_first else None)
            if wait:
                await asyncio.sleep(wait)

    async def write(self, key: str, *, handed_back_at: int | None = None) -> int:
        """Write all there is to tell of a task; return how many writes that took.

        With `handed_back_at` its ticks after that instant are no longer this daemon's. Raises ApiError, OSError and
        StoreError.
        """
        async with self._writing.setdefault(key, asyncio.Lock()):
            task, book = self._known.tasks.get(key), self._store.book(key)
            if task is None or book is None:
                self._writing.pop(key, None)
                return 0
            if handed_back_at is None and key in self.left_open:
                return 0  # what gives it back tells all, and after that its status is another one's
            snapshot = await self._store.snapshot(key, is_last=handed_back_at is not None)
            if snapshot is None:
                return 0
            if handed_back_at is not None:
                self.left_open[key] = dict(book.open)
            # What a new task has to tell of its runs can wait until all tasks are heard of.
            ended = () if _is_new(book) and handed_back_at is None else snapshot.records
            await self.before_status()
            records = thinned(ended, task)
            writes = 0
            await self._store.tell_of(key, records)
            by_name = self.counted.setdefault(key, set())
            by_name |= {run.run_id for run in ended if not documents.is_of_tick(run)}
            for record in records:
                self._check_leading()
                writes += await self.records.write(task, record)
            book.forget(ended)
            for record in ended:
                self._jobs.made.pop(record.run_id, None)
            self._check_leading()
            writes += await self._write_status(key, task, snapshot, handed_back_at)
            self._store.wrote(key, snapshot)
            if handed_back_at is not None:
                return writes  # what is beyond what it keeps is for the operator to remove
            if len(ended) < len(snapshot.records) or snapshot.is_repeated:
                self.note(key)
            self._check_leading()
            writes += await self._remove_runs(task)
            await self._remove_jobs(task)
            return writes

    async def tell_ahead(self, key: str, run_id: str, stop: StopRequest) -> None:
        """Write on the TaskRun of an open run how it is about to end. Raises ApiError and OSError."""
        task, book = self._known.tasks.get(key), self._store.book(key)
        record = None if book is None else book.open.get(run_id)
        if task is not None and record is not None:
            ahead = replace(record).end(Outcome.CANCELLED, stop.reason, stop.message)
            self._allowance.take(await self.records.write(task, ahead))

    def _check_leading(self) -> None:
        """Raise OSError where others may have taken over: this process may have been stopped since it looked last."""
        if not self.may_write():
            raise OSError("others may have taken over since this write was begun")

    async def _write_status(self, key: str, task: KnownTask, snapshot: Snapshot, handed_back_at: int | None) -> int:
        before = task.raw_status
        existing = self._known.runs[task.name]
        # The operator writes a record anew of a CronJob's Job that is still there and whose name is not kept.
        counted = {name for name in self.counted.get(key, ()) if name in existing or _is_native(task.name, name)}
        self.counted[key] = counted
        if handed_back_at is not None:
            native = {name for name in counted if name not in existing}
            left = self.left_open[key]
            ended = {name for name, run in existing.items() if run.outcome is not None and name not in left}
            counted = native | ended
        status = documents.task_status(
            before,
            snapshot,
            self.running(key),
            task.refused,
            task.withheld,
            generation=task.generation,
            daemon=self._known.daemon,
            counted=counted,
            last_run=documents.latest_run(snapshot.records),
            now=int(time.time()),
        )
        if handed_back_at is not None:
            status = documents.handed_back({**status, "watermark": documents.at(handed_back_at)})
        patch = difference(before, status)
        if not patch:
            return 0
        body = {"metadata": {"resourceVersion": task.version}, "status": patch}
        try:
            request = self._api.merge_patch_status(SCHEDULED_TASKS, self._known.namespace, task.name, body)
            answer = await ask(request)
        except (ApiError, OSError) as error:
            if isinstance(error, ApiError) and error.not_found:
                return 1
            if await self._was_written(task, status):
                return 1
            raise
        task.note_written(answer["metadata"]["resourceVersion"], status)
        return 1

    async def _was_written(self, task: KnownTask, status: Manifest) -> bool:
        """Look at a task of which a write has failed, and tell whether it was made all the same."""
        body = await ask(self._api.get(SCHEDULED_TASKS, self._known.namespace, task.name))
        if body["metadata"]["uid"] != task.uid:
            return True  # it is gone, and with it whatever there was to tell
        found = body.get("status") or {}
        self._known.put_task(body)
        current = self._known.tasks.get(task.uid)
        if current is not None:
            current.note_written(body["metadata"]["resourceVersion"], found)
        return all(found.get(field) == status.get(field) for field in _TELLING)

    async def _remove_runs(self, task: KnownTask) -> int:
        running = self.running(task.uid)
        retention = running.retention if running is not None else Retention()
        return await self.records.remove(task, retention, self.counted.get(task.uid, set()))

    async def _remove_jobs(self, task: KnownTask) -> None:
        """Remove finished Jobs beyond what the task keeps. They are recorded by now."""
        running = self.running(task.uid)
        if running is None or task.template is None:
            return
        jobs = [job for job in self._jobs.of_task(task.uid) if job.finished and not job.deleting]
        jobs.sort(key=lambda job: (job.start_time or job.created_at, job.name), reverse=True)
        book = self._store.book(task.uid)
        # A new leader makes the Job of a run anew if it finds neither the Job nor how it ended.
        waiting = set() if book is None else {*book.open, *(run.run_id for run in book.ended)}
        for succeeded, limit in ((True, running.jobs_kept[0]), (False, running.jobs_kept[1])):
            alike = [job for job in jobs if job.succeeded is succeeded]
            for job in alike[limit:]:
                if job.task_run_name not in waiting:
                    await ask(self._api.delete(JOBS, self._known.namespace, job.name, job.uid))
            for job in alike[:limit]:
                if running.time_to_live is not None and job.time_to_live is None and job.task_run_name not in waiting:
                    body = {"spec": {"ttlSecondsAfterFinished": running.time_to_live}}
                    self._jobs.put(await ask(self._api.merge_patch(JOBS, self._known.namespace, job.name, body)))

    def _again(self, key: str) -> None:
        if self._store.book(key) is not None:
            self.waiting.add(key, Urgency.NOW)

    def report(self, key: str, error: Exception) -> None:
        """Log why a write failed; a conflict is no more than a sign that something has just changed."""
        task = self._known.tasks.get(key)
        if isinstance(error, ApiError) and (error.conflict or error.namespace_ends):
            return
        logger.warning("%s: cannot write: %s; trying again", task.name if task else key, text_of(error))


def _is_new(book: Book) -> bool:
    """Tell whether nobody has written a status of a task yet, and all that there is to tell of it is well."""
    written = book.written
    return written.revision is None and written.watermark is None and not (book.others or book.by_hand)


_TELLING = ("scheduledBy", "daemon", "watermark", "decided", "counters")
"""What a status tells whoever decides next. Two that are alike in this are one."""


async def _nothing() -> None:
    return None


async def to_the_end(write: Coroutine[Any, Any, Answer]) -> Answer:
    """Await a write, and finish it even if this is cancelled meanwhile.

    Half of one would leave a TaskRun that says nothing, or a status that is ahead of what the Lease tells.
    """
    writing = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.gather(writing, return_exceptions=True)
        raise


def _is_native(task_name: str, name: str) -> bool:
    """Tell whether a run has a name such as a CronJob gives to its Jobs."""
    cron_job, _, minutes = name.rpartition("-")
    return cron_job == names.cron_job_name(task_name) and minutes.isdecimal()
