"""The life of a `schedule:work` process: its loop, and what it looks after beside it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from timewright.engine import garbage
from timewright.engine.beside import beside
from timewright.engine.loop import Loop
from timewright.engine.session import begin
from timewright.runner.reaping import keep_reaping
from timewright.storage.protocol import StoreError

if TYPE_CHECKING:
    from timewright.engine.executor import Executor
    from timewright.engine.ledger import Ledger
    from timewright.engine.surroundings import Surroundings
    from timewright.engine.task import Task
    from timewright.storage.protocol import Store

DRAIN_SECONDS = 30.0
"""How long runs that are active may go on once the process is asked to end."""

_RELOAD_SECONDS = 1.0
_PRUNE_SECONDS = 600.0


class Source(Protocol):
    """Where tasks come from, and come from anew when that has changed."""

    def load(self) -> Sequence[Task]:
        """Return the tasks as they are declared now. Raises an exception with a text for people when they are wrong."""
        ...

    def has_changed(self) -> bool:
        """Tell whether what `load` read last has changed since."""
        ...


async def work(
    source: Source,
    store: Store,
    *,
    surroundings: Surroundings,
    tell: Callable[[str], None],
    on_begin: Callable[[Executor], None] = lambda executor: None,
    drain_seconds: float = DRAIN_SECONDS,
) -> None:
    """Start every tick of the tasks of a source, until the executor is asked to stop; then wait for what is active.

    `on_begin` gets the executor, whose `begin_to_stop` is for whoever takes the signals. Raises whatever the source
    raises when it cannot be loaded at first; later the tasks stay as they were, and that is told.
    """
    async with begin(store, surroundings, tell) as session:
        loop = Loop(session.ledger, session.executor)
        on_begin(session.executor)
        await loop.replace_tasks(source.load())
        garbage.pass_over_what_stays()
        lasting = (
            functools.partial(_reload, source, loop, tell),
            functools.partial(attend, loop, session.ledger, store),
            functools.partial(_prune, loop, session.ledger),
            keep_reaping,
        )
        async with beside(lasting, tell):
            await loop.run()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_seconds):
                await session.executor.drain()
        session.executor.stop_all("schedule:work was asked to end, and its time to wait for runs is over")


async def _reload(source: Source, loop: Loop, tell: Callable[[str], None]) -> None:
    """Take over changed tasks."""
    while True:
        await asyncio.sleep(_RELOAD_SECONDS)
        if not source.has_changed():
            continue
        try:
            tasks = source.load()
        except Exception as error:  # noqa: BLE001 - a person's half-saved file must not end the schedule
            tell(f"the changed schedule is not taken over, the one before stays: {error}")
            continue
        await loop.replace_tasks(tasks)
        tell(f"took over the changed schedule: {len(tasks)} tasks")


async def attend(loop: Loop, ledger: Ledger, store: Store) -> None:
    """Decide on tasks whose runs nobody looks after: they wait for room, or whoever ran them is gone."""
    while True:
        await asyncio.sleep(store.lease_seconds / 4)
        if ledger.available:
            with contextlib.suppress(StoreError):
                await loop.decide(await store.unattended())


async def _prune(loop: Loop, ledger: Ledger) -> None:
    """Remove from the history what tasks keep no longer."""
    while True:
        await asyncio.sleep(_PRUNE_SECONDS)
        if ledger.available:
            with contextlib.suppress(StoreError):
                await ledger.store.prune({task.key: task.retention for task in loop.tasks})
