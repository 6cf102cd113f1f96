"""TaskRuns, as the daemon writes them for the runs that it keeps, and removes what is beyond."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from timewright.cluster.api import TASK_RUNS, Api, ApiError, Manifest
from timewright.daemon import documents
from timewright.daemon.jobs import Jobs
from timewright.daemon.known import Known, KnownRun, KnownTask
from timewright.desired.names import COUNTED_ANNOTATION
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import Retention
from timewright.storage.records import RunRecord

REQUEST_SECONDS = 5.0
"""How long a write may take; later nobody can tell what it would overwrite."""


class RunRecords:
    """Writes them one by one."""

    def __init__(self, api: Api, known: Known, jobs: Jobs, check_leading: Callable[[], None]) -> None:
        """Write what is known of runs; `check_leading` raises OSError where others may have taken over."""
        self._api, self._known, self._jobs = api, known, jobs
        self._check_leading = check_leading

    async def write(self, task: KnownTask, record: RunRecord, *, leads: bool = True, is_counted: bool = False) -> int:
        """Write the TaskRun of a run, and its status; return how many writes that took.

        Of what others have written meanwhile an outcome stays, unless this `leads`: then its own is in the counters.
        With `is_counted` a TaskRun that is new says that the Lease tells of its outcome.
        """
        writes = 1
        known = self._known.runs[task.name].get(record.run_id)
        if known is None and not documents.is_of_tick(record):
            return 0  # it was deleted
        version = None if known is None else str(known.version)
        if version is None:
            body = documents.task_run(self._known.namespace, task.name, task.uid, self._known.daemon, record)
            if is_counted:
                body["metadata"]["annotations"] = {COUNTED_ANNOTATION: "true"}
            try:
                answer = await ask(self._api.create(TASK_RUNS, body))
                writes += 1
            except ApiError as error:
                if not error.conflict:
                    raise
                answer = await ask(self._api.get(TASK_RUNS, self._known.namespace, record.run_id))
            self._known.put_run(answer)
            version = answer["metadata"]["resourceVersion"]
        status = documents.run_status(record, self._jobs.made.get(record.run_id), int(time.time()))
        while version is not None:
            version = await self._write_status(record.run_id, version, status, leads=leads)
        return writes

    async def _write_status(self, name: str, version: str, status: Manifest, *, leads: bool) -> str | None:
        """Write it beside that version; return the one to try next, if it is another one by now."""
        body = {"metadata": {"resourceVersion": version}, "status": status}
        try:
            request = self._api.merge_patch(TASK_RUNS, self._known.namespace, name, body, "status")
            self._known.put_run(await ask(request))
        except ApiError as error:
            if error.not_found:
                return None
            if not error.conflict:
                raise
            if leads:
                self._check_leading()
            found = await ask(self._api.get(TASK_RUNS, self._known.namespace, name))
            self._known.put_run(found)
            is_told = (found.get("status") or {}).get("outcome") is not None
            return None if is_told and not leads else str(found["metadata"]["resourceVersion"])
        return None

    async def remove(self, task: KnownTask, retention: Retention, counted: set[str]) -> int:
        """Remove TaskRuns beyond what a task keeps, the oldest of each kind; return how many writes that took.

        `counted` has the names of those that are counted although this daemon has not made them.
        """
        gone = _beyond(self._known.runs[task.name], retention, counted, int(time.time()))
        for name, run in gone:
            await ask(self._api.delete(TASK_RUNS, self._known.namespace, name, run.uid))
            self._known.drop_run(name, run.uid)
        return len(gone)


async def ask(request: object) -> Manifest:
    """Await a request, but not for longer than it may take."""
    async with asyncio.timeout(REQUEST_SECONDS):
        answer: Manifest = await request  # type: ignore[misc]
        return answer


def thinned(records: Sequence[RunRecord], task: KnownTask) -> list[RunRecord]:
    """Return the runs that are worth a TaskRun: those that the task would keep, and all that were made by hand."""
    running = task.task
    if running is None:
        return list(records)
    limits = {True: running.retention.succeeded_runs, False: running.retention.other_runs}
    kept: list[RunRecord] = []
    for record in reversed(records):
        well = record.outcome is Outcome.SUCCEEDED
        if not documents.is_of_tick(record):
            kept.append(record)
        elif limits[well] > 0:
            limits[well] -= 1
            kept.append(record)
    return kept[::-1]


def _beyond(
    existing: dict[str, KnownRun], retention: Retention, counted: set[str], now: int
) -> list[tuple[str, KnownRun]]:
    finished = [
        (name, run) for name, run in existing.items() if run.outcome is not None and (run.own or name in counted)
    ]
    finished.sort(key=lambda each: (each[1].finished_at, each[0]), reverse=True)
    succeeded = [each for each in finished if each[1].outcome is Outcome.SUCCEEDED]
    others = [each for each in finished if each[1].outcome is not Outcome.SUCCEEDED]
    beyond = succeeded[retention.succeeded_runs :] + others[retention.other_runs :]
    if retention.max_age is not None:
        oldest = now - retention.max_age
        gone = {name for name, _ in beyond}
        beyond += [each for each in finished if each[0] not in gone and each[1].finished_at < oldest]
    return beyond
