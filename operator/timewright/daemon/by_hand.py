"""TaskRuns made by hand: taken over, admitted, and started, also while their task is suspended.

Nothing starts before its TaskRun says that it runs, so what a leader had started is known to the next one.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from timewright.cluster.api import TASK_RUNS, Api, ApiError
from timewright.daemon import documents
from timewright.daemon.job_work import JobWork
from timewright.daemon.known import Known, KnownTask
from timewright.daemon.task import ClusterTask
from timewright.daemon.writer import Writer
from timewright.decisions.observed import ObservedRun
from timewright.decisions.parameters import resolve_parameters
from timewright.decisions.task_state import OpenPhase
from timewright.desired import names
from timewright.engine.by_hand import change_of, hold_back
from timewright.engine.executor import Executor
from timewright.engine.loop import Loop
from timewright.engine.task import Task
from timewright.resources.vocabulary import Outcome, Phase, Reason, Trigger
from timewright.storage.kubernetes.store import LeaseStore
from timewright.storage.records import Change, RunRecord

logger = logging.getLogger(__name__)

_TRIES = 10


class ByHand:
    """Starts what people ask for."""

    def __init__(self, api: Api, known: Known, store: LeaseStore, writer: Writer) -> None:
        """Record in a store, and have its writer tell."""
        self._api, self._known, self._store, self._writer = api, known, store, writer

    def wants(self, run: ObservedRun) -> bool:
        """Tell whether a TaskRun is to be started, and by this daemon."""
        task = self._known.task_named(run.task_name)
        if task is None or task.given_back or run.finished or run.deleting or run.phase is Phase.RUNNING:
            return False
        book = self._store.book(task.uid)
        if book is None or run.daemon not in (None, self._known.daemon):
            return False
        return run.name not in book.open and all(run.name != each.run_id for each in book.by_hand)

    async def start(self, run: ObservedRun, loop: Loop, executor: Executor, running: ClusterTask | None) -> None:
        """Start a TaskRun, let it wait, or tell why not. Raises ApiError and OSError when that cannot be told."""
        known = self._known.task_named(run.task_name)
        if known is None:
            return
        if not await self._take_over(run, known):
            return
        if not self._stays(known.uid):
            await leave_to_operator(self._api, self._known, run.name)
            return
        now = int((run.scheduled_at or run.created_at).timestamp())
        record = RunRecord(known.uid, run.name, now, Trigger.MANUAL, OpenPhase.CLAIMED, idempotency_key=None)
        if running is None:
            refused = known.refused or known.withheld
            why = refused.message if refused else "it has not been accepted"
            record.end(Outcome.FAILED, Reason.TASK_NOT_READY, f"the task cannot run: {why}")
            await self._commit_ended(known, record)
            return
        parameters = resolve_parameters(running.definition.parameters, run.parameters or {})
        first = self._known.keys.get((run.task_name, run.idempotency_key or ""))
        if isinstance(parameters, str):
            record.end(Outcome.FAILED, Reason.INVALID_PARAMETERS, parameters)
            await self._commit_ended(known, record)
        elif run.idempotency_key is not None and first not in (None, run.name):
            text = f"TaskRun {first!r} carries the same idempotencyKey {run.idempotency_key!r}; only the first runs"
            record.end(Outcome.SKIPPED, Reason.DUPLICATE_KEY, text)
            await self._commit_ended(known, record)
        else:
            record.parameters = parameters
            await self._admit(record, run, running, loop, executor)

    def _stays(self, uid: str) -> bool:
        task = self._known.tasks.get(uid)
        return task is not None and not task.given_back and self._store.book(uid) is not None

    async def claim(self, task: Task, run: RunRecord) -> str | None:
        """Write on the TaskRun that it runs; return why it must not, if it must not."""
        run.started_at = run.started_at or time.time()
        status = documents.run_status(run, None, int(time.time()))
        status["phase"] = Phase.RUNNING.value
        try:
            answer = await self._api.merge_patch(
                TASK_RUNS, self._known.namespace, run.run_id, {"status": status}, "status"
            )
        except ApiError as error:
            if error.not_found:
                return "its TaskRun was deleted before it could start"
            return f"its TaskRun cannot be written: {error}"
        except OSError as error:
            return f"its TaskRun cannot be written: {error or type(error).__name__}"
        self._known.put_run(answer)
        return None

    async def _take_over(self, run: ObservedRun, task: KnownTask) -> bool:
        """Put the labels and the owner on a TaskRun; tell whether it is still there."""
        if run.daemon == self._known.daemon:
            return True
        metadata = {
            "resourceVersion": run.resource_version,
            "labels": {**names.labels(task.name), names.DAEMON_LABEL: self._known.daemon},
            "ownerReferences": [names.owned_by_task(task.name, task.uid)],
        }
        try:
            answer = await self._api.merge_patch(TASK_RUNS, self._known.namespace, run.name, {"metadata": metadata})
        except ApiError as error:
            if error.not_found or error.conflict:
                return False  # the watch tells what has become of it
            raise
        self._known.put_run(answer)
        return True

    async def _admit(
        self, record: RunRecord, run: ObservedRun, running: ClusterTask, loop: Loop, executor: Executor
    ) -> None:
        work = running.definition.work
        if isinstance(work, JobWork):
            work.uids[run.name] = run.uid
        for _ in range(_TRIES):
            if not self._stays(running.key):
                await leave_to_operator(self._api, self._known, run.name)
                return
            stored = (await self._store.load([running.key]))[running.key]
            change = change_of(running, stored, record, override=run.override)
            if record.phase is OpenPhase.CLAIMED and (refused := await loop.locking.take(running, record)) is not None:
                hold_back(running, record, refused, override=run.override)
            if record.phase is OpenPhase.QUEUED:
                # Before it can start: what it says then must not be overwritten, or the next leader starts it again.
                await self._say_that_it_waits(run, record)
            if not (await self._store.commit("", [change]))[0]:
                loop.locking.ended(running, record)
                continue
            if record.phase is OpenPhase.QUEUED:
                for run_id in change.cancel:
                    executor.replace(running.key, run_id)
                await loop.decide([running.key])
            elif record.outcome is None:
                executor.start(running, record, last_success_at=stored.last_success_at)
            return
        logger.warning("TaskRun %s/%s: the task changes too fast", self._known.namespace, run.name)

    async def _say_that_it_waits(self, run: ObservedRun, record: RunRecord) -> None:
        """Write that on its TaskRun, unless that has changed; a request that comes late changes nothing either."""
        known = self._known.runs[run.task_name].get(run.name)
        version = run.resource_version if known is None else str(known.version)
        status = documents.run_status(record, None, int(time.time()))
        body = {"metadata": {"resourceVersion": version}, "status": status}
        request = self._api.merge_patch(TASK_RUNS, self._known.namespace, run.name, body, "status")
        self._known.put_run(await request)

    async def _commit_ended(self, task: KnownTask, record: RunRecord) -> None:
        for _ in range(_TRIES):
            stored = (await self._store.load([task.uid]))[task.uid]
            state = stored.state
            change = Change(task.uid, stored.version, state.watermark, state.schedule_id, state.suspended, [record])
            if (await self._store.commit("", [change]))[0]:
                return


async def leave_to_operator(api: Api, known: Known, name: str) -> None:
    """Let the operator start a TaskRun that this daemon had taken over and has not started."""
    run = known.open_by_hand.get(name)
    if run is None or run.daemon != known.daemon:
        return
    metadata = {"resourceVersion": run.resource_version, "labels": {names.DAEMON_LABEL: None}}
    try:
        known.put_run(await api.merge_patch(TASK_RUNS, known.namespace, name, {"metadata": metadata}))
    except (ApiError, OSError) as error:
        logger.warning("TaskRun %s: it cannot be left to the operator: %s", name, error or type(error).__name__)


def manual_record(uid: str, run: ObservedRun) -> RunRecord:
    """Return the record of a TaskRun that another leader had started."""
    nominal = int((run.scheduled_at or run.created_at).timestamp())
    return RunRecord(
        uid,
        run.name,
        nominal,
        Trigger.MANUAL,
        OpenPhase.CLAIMED,
        started_at=datetime.now(UTC).timestamp(),
        parameters=run.parameters or {},
    )
