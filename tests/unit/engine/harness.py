"""Tasks, stores and invocations for tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from timewright.decisions.policies import Policies
from timewright.engine.executor import Executor
from timewright.engine.session import run_due
from timewright.engine.summary import Summary
from timewright.engine.surroundings import Surroundings
from timewright.engine.task import Task
from timewright.resources.vocabulary import Outcome
from timewright.runner.call import Call
from timewright.runner.definition import Definition
from timewright.storage.protocol import HistoryQuery, Store, StoreError
from timewright.storage.records import RunRecord
from timewright.timetable import parse

NOON = int(datetime(2026, 3, 2, 12, 0, tzinfo=UTC).timestamp())
"""A minute long past: an invocation for it waits for nothing."""

QUIET = Surroundings(live=False)


def task_of(
    function: Callable[..., Any],
    expression: str | None = "* * * * *",
    name: str = "task",
    policies: Policies | None = None,
    **more: Any,
) -> Task:
    """Return a task that calls a function."""
    return Task(
        definition=Definition(name, "shop", "call", Call(function)),
        key=f"shop/{name}",
        timetable=None if expression is None else parse(expression),
        schedule_id=expression or "",
        policies=policies or Policies(),
        **more,
    )


async def invoke(
    store: Store,
    tasks: Task | Sequence[Task],
    at: int | None = NOON,
    surroundings: Surroundings = QUIET,
    told: list[str] | None = None,
    on_begin: Callable[[Executor], None] = lambda executor: None,
) -> Summary:
    """Run what is due at a minute."""
    return await run_due(
        [tasks] if isinstance(tasks, Task) else tasks,
        store,
        at=at,
        surroundings=surroundings,
        tell=(told if told is not None else []).append,
        on_begin=on_begin,
    )


async def recorded(store: Store, task: Task | None = None) -> list[RunRecord]:
    """Return all runs that a store has a record of, the oldest tick first."""
    await store.open()
    query = HistoryQuery(tasks=[task.key] if task else (), limit=100_000)
    runs = sorted(await store.history(query), key=lambda run: (run.scheduled_at, run.run_id))
    await store.close()
    return runs


def outcomes(runs: Sequence[RunRecord]) -> list[tuple[int, Outcome | None, str]]:
    """Return minutes after noon, outcome and reason of each run."""
    return [((run.scheduled_at - NOON) // 60, run.outcome, run.reason) for run in runs]


class Flaky:
    """A store that can be away. It passes everything on to another one while it is not."""

    def __init__(self, store: Store) -> None:
        self.away = False
        self.store = store

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.store, name)
        if not callable(attribute):
            return attribute

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.away and name != "close":
                raise StoreError("the store is away")
            return await attribute(*args, **kwargs)

        return call
