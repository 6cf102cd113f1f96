"""A process that schedules: its hold on the store, its runs, and what has to be done beside them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timewright.decisions.task_state import OpenPhase
from timewright.engine.beside import beside
from timewright.engine.executor import Executor
from timewright.engine.ledger import Ledger
from timewright.engine.surroundings import Surroundings
from timewright.resources.vocabulary import ConcurrencyPolicy
from timewright.storage.protocol import StoreError

if TYPE_CHECKING:
    from timewright.engine.by_hand import Request
    from timewright.engine.summary import Summary
    from timewright.engine.task import Task
    from timewright.storage.protocol import Store
    from timewright.storage.records import RunRecord

_LOOK_SECONDS = 1.0
"""How often to look whether somebody asked for the end of a run."""


@dataclass(frozen=True, slots=True)
class Session:
    """Where outcomes are recorded, and where runs are started."""

    ledger: Ledger
    executor: Executor


@contextlib.asynccontextmanager
async def begin(store: Store, surroundings: Surroundings, tell: Callable[[str], None]) -> AsyncIterator[Session]:
    """Begin to schedule; on the way out wait for all runs, record them, and let go of the store.

    `tell` takes a line at a time for a person: trouble with the store, mostly.
    """
    ledger = Ledger(store, tell)
    executor = Executor(ledger, surroundings)
    await ledger.open()
    try:
        async with beside([functools.partial(_watch, ledger, executor)], tell):
            try:
                yield Session(ledger, executor)
            finally:
                await executor.drain()
    finally:
        await ledger.close()


async def run_due(
    tasks: Sequence[Task],
    store: Store,
    *,
    at: int | None = None,
    surroundings: Surroundings,
    tell: Callable[[str], None],
    on_begin: Callable[[Executor], None] = lambda executor: None,
) -> Summary:
    """Run what is due at the minute of an instant (UTC seconds), by default the present one, and wait for it.

    `on_begin` gets the executor, so that a signal or a deadline can end it.
    """
    from timewright.engine.invocation import Invocation, NominalClock

    clock = NominalClock.of(at)
    async with begin(store, surroundings, tell) as session:
        on_begin(session.executor)
        summary = await Invocation(tasks, session.ledger, session.executor, clock).run()
        await _prune(tasks, session.ledger, summary)
    return summary


async def run_now(
    task: Task,
    request: Request,
    store: Store,
    *,
    surroundings: Surroundings,
    tell: Callable[[str], None],
    on_begin: Callable[[Executor], None] = lambda executor: None,
) -> RunRecord:
    """Run a task now, wait for its end, and return its record.

    Raises InvalidParametersError, and StoreError when the store cannot be used.
    """
    from timewright.engine.by_hand import run_by_hand

    async with begin(store, surroundings, tell) as session:
        on_begin(session.executor)
        return await run_by_hand(task, request, session.ledger, session.executor)


async def _watch(ledger: Ledger, executor: Executor) -> None:
    """Pass on requests for the end of runs, and let others see which runs have started."""
    seen: dict[int, float] = {}  # when runs that had begun at the last look were seen first
    marked: set[int] = set()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if not executor.active or not ledger.available:
            continue
        with contextlib.suppress(StoreError):
            for key, run_id in await ledger.store.cancel_requests(ledger.owner):
                if await _is_replaced(key, run_id, ledger, executor):
                    executor.replace(key, run_id)
                else:
                    executor.cancel(key, run_id)
            begun = {id(each.run): each.run for each in executor.active.values() if each.claimed and each.has_begun}
            # Only what is seen twice: of most runs the store learns their start together with their end.
            started = [run for identity, run in begun.items() if identity in seen and identity not in marked]
            for run in started:
                run.started_at = run.started_at or seen[id(run)]
            if started:
                await ledger.store.mark_started(ledger.owner, started)
            marked = {identity for identity in begun if identity in seen}
            seen = {identity: seen.get(identity, time.time()) for identity in begun}


async def _is_replaced(key: str, run_id: str, ledger: Ledger, executor: Executor) -> bool:
    """Tell whether a newer run waits for the end of one, as a policy says, rather than a person."""
    running = executor.active.get((key, run_id))
    if running is None or running.task.policies.concurrency is not ConcurrencyPolicy.REPLACE:
        return False
    stored = (await ledger.store.load([key]))[key]
    return any(run.phase is OpenPhase.QUEUED for run in stored.state.open_runs)


async def _prune(tasks: Sequence[Task], ledger: Ledger, summary: Summary) -> None:
    """Remove from the history what the tasks that ran keep no longer."""
    ran = {run.task for run in summary.runs}
    if ran and ledger.available:
        await ledger.record_finished()
        with contextlib.suppress(StoreError):
            await ledger.store.prune({task.key: task.retention for task in tasks if task.key in ran})


def deadline_in(seconds: float | None) -> float | None:
    """Return when that many seconds will have passed, by `time.monotonic()`."""
    return None if seconds is None else time.monotonic() + seconds
