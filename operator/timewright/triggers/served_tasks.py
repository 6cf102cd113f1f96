"""What a door calls: tasks, and the store that remembers their runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from timewright.engine import session
from timewright.engine.by_hand import InvalidParametersError, Request
from timewright.engine.executor import Executor
from timewright.engine.surroundings import Surroundings
from timewright.schedule.listing import ListedTask, list_tasks
from timewright.schedule.running import open_store

if TYPE_CHECKING:
    import os

    from timewright.engine.summary import Summary
    from timewright.engine.task import Task
    from timewright.schedule.schedule import Schedule
    from timewright.storage.protocol import HistoryQuery, Store
    from timewright.storage.records import RunRecord

logger = logging.getLogger("timewright")

_LAST_START_SECONDS = 1.0
"""How long before a deadline nothing is started any more: it could not end."""

EARLY_SECONDS = 60
"""How far ahead of this machine's clock a nominal time may be: other machines' clocks differ."""


class NoSuchTaskError(LookupError):
    """There is no task of that name here, or several. The text names those that there are."""


class UntimelyError(ValueError):
    """A nominal time that has not come. To run it would decide on ticks before their time."""


class ServedTasks:
    """Tasks that something outside wants to have run. Calls may overlap: claims keep each tick to one run.

    Of several instances any may be called, so they share all tasks: none is a machine with ticks of its own.
    """

    def __init__(
        self,
        tasks: Callable[[], Sequence[Task]],
        store: str | Store | None = None,
        refusal: Callable[[str, Mapping[str, Any]], str | None] = lambda name, parameters: None,
    ) -> None:
        """Take a function that returns the tasks, and the store.

        `refusal` says why a task cannot be called with parameters, if it cannot.
        """
        self._tasks = tasks
        self._store = store
        self._refusal = refusal
        self._one_at_a_time = asyncio.Lock()
        self._executors: set[Executor] = set()

    @classmethod
    def of_schedule(cls, schedule: Schedule, store: str | Store | None = None) -> ServedTasks:
        """Serve a schedule, with another store than its own if one is given."""
        return cls(schedule.tasks, store if store is not None else schedule.store, _refusal_of(schedule))

    @classmethod
    def of_app(cls, reference: str, store: str | Store | None = None) -> ServedTasks:
        """Serve the schedule that `module:attribute` names. Raises LoadError and DeclarationError."""
        from timewright.schedule.loading import load_app

        schedule = load_app(reference)
        schedule.tasks()
        return cls.of_schedule(schedule, store)

    @classmethod
    def of_files(cls, paths: Iterable[str | os.PathLike[str]], store: str | Store | None = None) -> ServedTasks:
        """Serve the tasks of manifest files. Raises LoadError."""
        from timewright.schedule.manifests import load_manifests

        tasks = load_manifests(paths, logger.warning)
        return cls(lambda: tasks, store)

    async def run_due(self, at: datetime | None = None, *, deadline_seconds: float | None = None) -> Summary:
        """Run what is due at the minute of an instant, by default the present one, and wait for it.

        All is over and recorded within `deadline_seconds`, or shortly after: runs that are not are stopped before.
        Raises UntimelyError, and StoreError where the store is none; trouble with a store is told in the summary.
        """
        if at is not None:
            refuse_untimely(at)
        async with self._opened(deadline_seconds) as (store, surroundings, on_begin):
            return await session.run_due(
                self._tasks(),
                store,
                at=None if at is None else int(at.timestamp()),
                surroundings=surroundings,
                tell=logger.warning,
                on_begin=on_begin,
            )

    async def run_now(self, name: str, request: Request, *, deadline_seconds: float | None = None) -> RunRecord:
        """Run one task now, wait for its end, and return its record.

        Raises NoSuchTaskError, InvalidParametersError, and StoreError when the store cannot be used.
        """
        async with self._opened(deadline_seconds) as (store, surroundings, on_begin):
            return await session.run_now(
                self._checked(name, request),
                request,
                store,
                surroundings=surroundings,
                tell=logger.warning,
                on_begin=on_begin,
            )

    def check_store(self) -> None:
        """Raise StoreError if the store that is named can be none. It is not opened."""
        open_store(self._store)

    def check(self, name: str, request: Request) -> None:
        """Raise what `run_now` would raise for the request without asking the store."""
        self._checked(name, request)

    async def list(self, ticks: int = 1) -> list[ListedTask]:
        """Return what is known of the tasks. Raises StoreError."""
        async with self._open_for_reading() as store:
            return await list_tasks(self._tasks(), store, datetime.now(UTC), ticks=ticks)

    async def history(self, query: HistoryQuery) -> Sequence[RunRecord]:
        """Return runs, of all tasks if the query names none. It names tasks as `run_now` does, and raises as that."""
        async with self._open_for_reading() as store:
            found = [self._find(name) for name in query.tasks] or self._tasks()
            return await store.history(replace(query, tasks=[task.key for task in found])) if found else []

    @property
    def active(self) -> int:
        """How many calls are being carried out that may start runs."""
        return len(self._executors)

    def stop_all(self, message: str) -> None:
        """Ask all active runs to end. They are recorded as Cancelled, with the message."""
        for executor in self._executors:
            executor.stop_all(message)

    @contextlib.asynccontextmanager
    async def _opened(
        self, deadline_seconds: float | None
    ) -> AsyncIterator[tuple[Store, Surroundings, Callable[[Executor], None]]]:
        """Return what a call needs, and keep hold of the runs that it starts until it is over."""
        begun: list[Executor] = []

        def begin(executor: Executor) -> None:
            begun.append(executor)
            self._executors.add(executor)
            if deadline_seconds is not None:
                # Ticks later in the minute are for another call.
                asyncio.get_running_loop().call_later(deadline_seconds - _LAST_START_SECONDS, executor.begin_to_stop)

        async with self._turn():
            store = open_store(self._store)
            deadline = session.deadline_in(deadline_seconds)
            try:
                yield store, Surroundings(refusal=store.unprotected, deadline=deadline), begin
            finally:
                self._executors.difference_update(begun)

    @contextlib.asynccontextmanager
    async def _open_for_reading(self) -> AsyncIterator[Store]:
        async with self._turn():
            store = open_store(self._store)
            await store.open()
            try:
                yield store
            finally:
                await store.close()

    def _turn(self) -> contextlib.AbstractAsyncContextManager[Any]:
        """Wait for one's turn with a store that was handed in; one that is named is opened by each call for itself."""
        return contextlib.nullcontext() if self._store is None or isinstance(self._store, str) else self._one_at_a_time

    def _checked(self, name: str, request: Request) -> Task:
        """Return the task of a request that can be run."""
        task = self._find(name)
        refusal = self._refusal(task.name, request.parameters)
        if refusal is not None:
            raise InvalidParametersError(f"task {task.name!r}: {refusal}")
        return task

    def _find(self, name: str) -> Task:
        """Return the task of that key or name. Raises NoSuchTaskError."""
        tasks = self._tasks()
        found = [task for task in tasks if task.key == name] or [task for task in tasks if task.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            keys = ", ".join(task.key for task in found)
            raise NoSuchTaskError(f"there are several tasks {name!r}: say which of {keys}")
        known = f"there are {', '.join(task.name for task in tasks)}" if tasks else "there are none at all"
        raise NoSuchTaskError(f"there is no task {name!r}; {known}")


def refuse_untimely(at: datetime) -> None:
    """Raise UntimelyError unless an instant has come, or nearly so."""
    if at.tzinfo is None:
        raise UntimelyError(f"the nominal time {at} has no time zone; write it like 2026-03-08T04:00:00Z")
    early = (at - datetime.now(UTC)).total_seconds()
    if early > EARLY_SECONDS:
        raise UntimelyError(
            f"the nominal time {at.isoformat()} has not come: it is {early:.0f} s ahead of this machine's clock"
        )


def _refusal_of(schedule: Schedule) -> Callable[[str, Mapping[str, Any]], str | None]:
    from timewright.schedule.functions import check_arguments
    from timewright.schedule.work import FunctionCall

    def refusal(name: str, parameters: Mapping[str, Any]) -> str | None:
        declaration = schedule.declaration_of(name)
        if isinstance(declaration.work, FunctionCall) and not declaration.settings.parameters:
            return check_arguments(declaration.work, parameters)
        return None

    return refusal
