"""Runs the tasks of a schedule from Python: what `schedule:run`, `schedule:run-now` and `schedule:work` do."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from timewright.engine import session
from timewright.engine.by_hand import InvalidParametersError, Request
from timewright.engine.surroundings import Surroundings
from timewright.engine.work import work as engine_work
from timewright.runner.event_loop import run
from timewright.schedule.errors import DeclarationError
from timewright.schedule.functions import check_arguments
from timewright.schedule.listing import ListedTask, list_tasks
from timewright.schedule.work import FunctionCall
from timewright.storage.location import host_of, store_of

if TYPE_CHECKING:
    from timewright.engine.executor import Executor
    from timewright.engine.summary import Summary
    from timewright.engine.task import Task
    from timewright.schedule.schedule import Schedule
    from timewright.storage.protocol import Store
    from timewright.storage.records import RunRecord

Result = TypeVar("Result")

logger = logging.getLogger("timewright")


def open_store(named: str | Store | None) -> Store:
    """Return the store that is named, or that of this machine; not opened yet. Raises StoreError."""
    return store_of(named, os.environ) if named is None or isinstance(named, str) else named


def wait_for(coroutine: Coroutine[Any, Any, Result], instead: str) -> Result:
    """Run a coroutine where there is no event loop yet.

    Raises:
        RuntimeError: where there is one, since waiting would block it. The text names the method to await `instead`.

    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run(coroutine)
    coroutine.close()
    raise RuntimeError(f"an event loop is running here, and would stand still meanwhile; await {instead} instead")


async def run_due(schedule: Schedule, at: datetime | None) -> Summary:
    """Run what is due at the minute of an instant, by default the present one, and wait for it."""
    if at is not None and at.tzinfo is None:
        raise ValueError(f"at {at} has no time zone; pass an aware datetime, such as datetime.now(timezone.utc)")
    store = open_store(schedule.store)
    return await session.run_due(
        schedule.tasks(host_of(store, os.environ)),
        store,
        at=None if at is None else int(at.timestamp()),
        surroundings=Surroundings(refusal=store.unprotected),
        tell=logger.warning,
    )


async def run_by_hand(schedule: Schedule, name: str, request: Request) -> RunRecord:
    """Run one task now, and wait for it. Raises InvalidParametersError, DeclarationError and StoreError."""
    declaration = schedule.declaration_of(name)
    store = open_store(schedule.store)
    task = next((task for task in schedule.tasks(host_of(store, os.environ)) if task.name == name), None)
    if task is None:
        wanted = ", ".join(declaration.settings.environments or ())
        problem = f"task {name!r} is for {wanted}, and this is {schedule.environment_name}"
        raise DeclarationError(f"{declaration.place}: {problem}; run it there")
    if isinstance(declaration.work, FunctionCall) and not declaration.settings.parameters:
        refusal = check_arguments(declaration.work, request.parameters)
        if refusal:
            raise InvalidParametersError(f"task {name!r}: {refusal}; pass what it takes by name, and no more")
    return await session.run_now(
        task,
        request,
        store,
        surroundings=Surroundings(refusal=store.unprotected),
        tell=logger.warning,
    )


async def work(schedule: Schedule, *, takes_signals: bool) -> None:
    """Start every tick of a schedule, until SIGTERM or SIGINT come, or this is cancelled."""
    store = open_store(schedule.store)
    stopping = _Stopping(takes_signals)
    try:
        await engine_work(
            _Fixed(schedule.tasks(host_of(store, os.environ))),
            store,
            surroundings=Surroundings(refusal=store.unprotected),
            tell=logger.warning,
            on_begin=stopping.begin,
        )
    finally:
        stopping.end()


async def list_of(schedule: Schedule, ticks: int) -> list[ListedTask]:
    """Return what is known of the tasks of a schedule. Raises StoreError."""
    store = open_store(schedule.store)
    await store.open()
    try:
        return await list_tasks(schedule.tasks(host_of(store, os.environ)), store, datetime.now(UTC), ticks=ticks)
    finally:
        await store.close()


class _Fixed:
    """A source of tasks that never changes."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks

    def load(self) -> Sequence[Task]:
        return self._tasks

    def has_changed(self) -> bool:
        return False


class _Stopping:
    """Lets a signal end the work: the first one lets active runs go on to their end, a second one ends them."""

    def __init__(self, takes_signals: bool) -> None:
        self._signals = (signal.SIGTERM, signal.SIGINT) if takes_signals else ()
        self._executor: Executor | None = None

    def begin(self, executor: Executor) -> None:
        self._executor = executor
        for each in self._signals:
            asyncio.get_running_loop().add_signal_handler(each, self._stop, signal.Signals(each).name)

    def end(self) -> None:
        for each in self._signals:
            asyncio.get_running_loop().remove_signal_handler(each)

    def _stop(self, name: str) -> None:
        if self._executor is None:
            return
        if self._executor.stopping:
            self._executor.stop_all(f"{name} came for the second time")
        else:
            self._executor.begin_to_stop()
