"""Runs one task now because somebody asks for it. This is `schedule:run-now` and `schedule:test`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timewright.decisions.by_hand import Refuse, Wait, admit
from timewright.decisions.parameters import resolve_parameters
from timewright.decisions.task_state import OpenPhase
from timewright.engine.locking import Locking, Place
from timewright.engine.planning import plan_waiting
from timewright.resources.vocabulary import LockPolicy, Outcome, Reason, Trigger
from timewright.storage.records import Change, RunRecord, StoredTask

if TYPE_CHECKING:
    from timewright.engine.executor import Executor
    from timewright.engine.ledger import Ledger
    from timewright.engine.task import Task

_LOOK_AGAIN_SECONDS = 0.5


class InvalidParametersError(ValueError):
    """The parameters given are not those that the task declares. The text names the one, and what is expected."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for."""

    parameters: Mapping[str, Any]
    idempotency_key: str | None = None
    """Of the requests for a task with the same key the first one runs; the others are told how that went."""
    override: bool = False
    """Run beside whatever is active, whatever the task's concurrency policy says."""


async def run_by_hand(task: Task, request: Request, ledger: Ledger, executor: Executor) -> RunRecord:
    """Run a task now, wait for its end, and return its record; that of the first request when its key is known.

    Raises InvalidParametersError, and StoreError when the store cannot be used.
    """
    parameters = _parameters(task, request)
    locking = Locking(ledger, executor)
    executor.on_end = locking.ended
    while True:
        # Before the key is asked for: whoever takes it afterwards changes the version, and this request tries again.
        stored = (await ledger.load([task.key]))[task.key]
        if request.idempotency_key is not None:
            first = await ledger.store.find(task.key, idempotency_key=request.idempotency_key)
            if first is not None:
                return first if first.phase is None else await _wait_for_room(task, first, ledger, executor, locking)
        run = _new_run(task, request, parameters)
        change = change_of(task, stored, run, override=request.override)
        if run.phase is OpenPhase.CLAIMED:
            refused = await locking.take(task, run)
            if refused is not None:
                hold_back(task, run, refused, override=request.override)
        if not (await ledger.store.commit(ledger.owner, [change]))[0]:
            locking.ended(task, run)
            continue
        if run.phase is OpenPhase.QUEUED:
            return await _wait_for_room(task, run, ledger, executor, locking)
        if run.phase is OpenPhase.CLAIMED:
            executor.start(task, run, last_success_at=stored.last_success_at)
            await executor.drain()
        return run


def _parameters(task: Task, request: Request) -> Mapping[str, Any]:
    if task.definition.kind == "call" and not task.definition.parameters:
        return request.parameters  # the function's own signature declares them
    resolved = resolve_parameters(task.definition.parameters, request.parameters)
    if isinstance(resolved, str):
        raise InvalidParametersError(resolved)
    return resolved


def _new_run(task: Task, request: Request, parameters: Mapping[str, Any]) -> RunRecord:
    now = int(time.time())
    if request.idempotency_key is None:
        suffix = os.urandom(4).hex()
    else:
        suffix = hashlib.sha256(request.idempotency_key.encode()).hexdigest()[:8]
    return RunRecord(
        task.key,
        f"{task.name}-manual-{now}-{suffix}",
        now,
        Trigger.MANUAL,
        OpenPhase.CLAIMED,
        parameters=parameters,
        idempotency_key=request.idempotency_key,
    )


def change_of(task: Task, stored: StoredTask, run: RunRecord, *, override: bool) -> Change:
    """Return what records a run that somebody asks for, and note on it whether it may start."""
    state = stored.state
    run.phase = OpenPhase.CLAIMED
    change = Change(task.key, stored.version, state.watermark, state.schedule_id, state.suspended, runs=[run])
    answer = admit(task.policies, state, override=override)
    if isinstance(answer, Refuse):
        run.end(answer.outcome, answer.reason, answer.message)
    elif isinstance(answer, Wait):
        run.phase = OpenPhase.QUEUED
        change.cancel = list(answer.cancel)
        change.runs = [run, *(_dropped(task, stored, *each) for each in answer.drop)]
    return change


def _dropped(task: Task, stored: StoredTask, run_id: str, outcome: Outcome, reason: Reason, message: str) -> RunRecord:
    known = next(each for each in stored.state.open_runs if each.run_id == run_id)
    return RunRecord(task.key, run_id, known.scheduled_at, known.trigger).end(outcome, reason, message)


def hold_back(task: Task, run: RunRecord, text: str, *, override: bool) -> None:
    """Let a run wait that finds its locks held, or end it where it must not wait; `text` tells who holds them."""
    if task.policies.lock_policy is LockPolicy.WAIT and not override:
        run.phase = OpenPhase.QUEUED
    else:
        run.end(Outcome.SKIPPED, Reason.LOCK_HELD, text)


async def _wait_for_room(task: Task, run: RunRecord, ledger: Ledger, executor: Executor, locking: Locking) -> RunRecord:
    """Wait until the run has its turn, here or in another process, and return its record once it has ended."""
    while not executor.stopping:
        stored = (await ledger.load([task.key]))[task.key]
        waiting = {each.run_id: each.phase for each in stored.state.open_runs}
        if run.run_id not in waiting:
            return await ledger.store.find(task.key, run_id=run.run_id) or run
        planned = plan_waiting(task, stored, int(time.time()), executor.host)
        standings = {task.key: Place(task, stored, 0)}
        async with locking.taking([(task.key, planned)], standings) as ((_, allowed),):
            is_made = allowed.change is not None and (await ledger.claim([allowed]))[0]
            for each in allowed.resume if is_made else ():
                executor.start(task, each, last_success_at=stored.last_success_at, resumed=True)
        if is_made:
            await executor.drain()
            await ledger.record_finished()
        else:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return run
