"""Tasks that share locks take turns, in one process and between processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.harness import NOON, QUIET, invoke, outcomes, recorded, task_of
from tests.unit.engine.test_work import Worker, until
from timewright.decisions.policies import NeededLock, Policies
from timewright.decisions.task_state import OpenPhase
from timewright.engine.by_hand import Request, run_by_hand
from timewright.engine.session import begin
from timewright.engine.task import Task
from timewright.resources.vocabulary import ConcurrencyPolicy, LockPolicy, Outcome
from timewright.storage.owner import new_owner
from timewright.storage.records import Change, RunRecord
from timewright.storage.sqlite import SqliteStore

EVERY_SECOND = "* * * * * *"
SHORT = 0.15


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "state.db", lease_seconds=4)


class Watched:
    """Runs that tell who was active at the same time."""

    def __init__(self, seconds: float = SHORT) -> None:
        self.seconds = seconds
        self.active: set[str] = set()
        self.together = 0
        self.order: list[str] = []

    def named(self, name: str) -> Callable[[], Any]:
        async def run() -> None:
            self.active.add(name)
            self.together = max(self.together, len(self.active))
            self.order.append(name)
            await asyncio.sleep(self.seconds)
            self.active.discard(name)

        return run


def sharing(
    watched: Watched, name: str, *locks: str, expression: str | None = "* * * * *", slots: int = 1, **policies: Any
) -> Task:
    needed = tuple(NeededLock(lock, slots) for lock in sorted(locks))
    return task_of(
        watched.named(name), expression, name, Policies(locks=needed, **policies), exclusive=True, suspended=False
    )


async def test_one_after_the_other_in_the_order_of_declaration(store: SqliteStore) -> None:
    watched = Watched()
    tasks = [sharing(watched, f"task-{number}", "warehouse") for number in range(4)]
    summary = await invoke(store, tasks)
    assert watched.together == 1
    assert watched.order == [task.name for task in tasks]
    assert {run.outcome for run in summary.runs} == {Outcome.SUCCEEDED}
    await store.open()
    assert list(await store.locks()) == []
    await store.close()


async def test_a_lock_with_two_slots_has_two_holders(store: SqliteStore) -> None:
    watched = Watched()
    await invoke(store, [sharing(watched, f"task-{number}", "warehouse", slots=2) for number in range(4)])
    assert watched.together == 2
    assert len(watched.order) == 4


async def test_other_locks_are_no_obstacle(store: SqliteStore) -> None:
    watched = Watched()
    await invoke(store, [sharing(watched, "one", "warehouse"), sharing(watched, "two", "till")])
    assert watched.together == 2


async def test_who_waits_for_two_locks_holds_none_and_is_not_overtaken(store: SqliteStore) -> None:
    watched = Watched()
    tasks = [
        sharing(watched, "first", "warehouse"),
        sharing(watched, "both", "warehouse", "till"),
        sharing(watched, "till", "till"),
        sharing(watched, "office", "office"),
    ]
    await invoke(store, tasks)
    assert set(watched.order[:2]) == {"first", "office"}
    assert watched.order[2:] == ["both", "till"]


async def test_skip_tells_the_lock_and_who_holds_it(store: SqliteStore) -> None:
    watched = Watched()
    skipping = sharing(watched, "two", "warehouse", lock_policy=LockPolicy.SKIP)
    await invoke(store, [sharing(watched, "one", "warehouse"), skipping])
    (skipped,) = await recorded(store, skipping)
    assert (skipped.outcome, skipped.reason) == (Outcome.SKIPPED, "LockHeld")
    assert skipped.message == f"lock 'warehouse' is held by shop/one-{NOON}"
    assert watched.order == ["one"]


async def test_who_waits_for_too_long_is_missed(store: SqliteStore) -> None:
    watched = Watched(seconds=2.5)
    waiting = sharing(watched, "two", "warehouse", starting_deadline=0)
    await invoke(store, [sharing(watched, "one", "warehouse"), waiting])
    (missed,) = await recorded(store, waiting)
    assert (missed.outcome, missed.reason) == (Outcome.MISSED, "DeadlineExceeded")
    assert watched.order == ["one"]


async def test_no_more_wait_than_may(store: SqliteStore) -> None:
    watched = Watched()
    waiting = sharing(watched, "two", "warehouse", max_queued=0)
    await invoke(store, [sharing(watched, "one", "warehouse"), waiting])
    (skipped,) = await recorded(store, waiting)
    assert (skipped.outcome, skipped.reason) == (Outcome.SKIPPED, "QueueFull")


async def test_locks_and_overlaps_are_judged_together(store: SqliteStore) -> None:
    """Under Forbid the one that waits for the lock is the one that the next tick would overlap with."""
    watched = Watched()
    forbidding = sharing(watched, "two", "warehouse", concurrency=ConcurrencyPolicy.FORBID)
    holder = new_owner()
    await store.open()
    await store.renew(holder)
    await store.acquire(holder, "warehouse", "somebody")
    other = SqliteStore(store.path, lease_seconds=4)
    await invoke(other, forbidding, at=NOON)
    await invoke(other, forbidding, at=NOON + 60)
    assert [(minute, reason) for minute, _, reason in outcomes(await recorded(other, forbidding))] == [
        (0, ""),
        (1, "Overlap"),
    ]
    await store.retire(holder)
    await store.close()
    await invoke(other, forbidding, at=NOON + 120)
    assert watched.order == ["two"], "the one that waited runs, and the tick of that minute overlaps with it"


async def test_a_run_that_waits_outlives_the_process_that_let_it(store: SqliteStore) -> None:
    """What a process that was killed leaves behind: a run that waits, and a lock whose owner is dead."""
    watched = Watched()
    task = sharing(watched, "two", "warehouse", expression=None)
    dead = new_owner()
    await store.open()
    await store.renew(dead)
    await store.acquire(dead, "warehouse", "somebody")
    run = RunRecord(task.key, f"two-{NOON}", NOON, phase=OpenPhase.QUEUED)
    assert list(await store.commit(dead, [Change(task.key, 0, NOON, task.schedule_id, runs=[run])])) == [True]
    await store.retire(dead)
    await store.close()
    async with Worker(SqliteStore(store.path, lease_seconds=4), task):
        await until(lambda: watched.order)
    (ended,) = await recorded(store, task)
    assert (ended.run_id, ended.outcome) == (run.run_id, Outcome.SUCCEEDED)


async def test_every_second_two_tasks_take_turns_and_no_tick_is_lost(store: SqliteStore) -> None:
    watched = Watched(seconds=0.3)
    tasks = [sharing(watched, name, "warehouse", expression=EVERY_SECOND) for name in ("one", "two")]
    async with Worker(store, *tasks):
        await until(lambda: len(watched.order) >= 6)
    assert watched.together == 1
    for task in tasks:
        runs = await recorded(store, task)
        ticks = [run.scheduled_at for run in runs]
        assert ticks == list(range(ticks[0], ticks[-1] + 1))
        assert {run.outcome for run in runs} <= {Outcome.SUCCEEDED, None}
        assert all(run.started_at is None or run.started_at >= run.scheduled_at for run in runs)


async def test_two_processes_exclude_each_other(store: SqliteStore) -> None:
    watched = Watched(seconds=0.4)
    one = sharing(watched, "one", "warehouse", expression=EVERY_SECOND, concurrency=ConcurrencyPolicy.FORBID)
    two = sharing(watched, "two", "warehouse", expression=EVERY_SECOND, concurrency=ConcurrencyPolicy.FORBID)
    async with Worker(store, one), Worker(SqliteStore(store.path, lease_seconds=4), two):
        await until(lambda: len(set(watched.order)) == 2 and len(watched.order) >= 4)
    assert watched.together == 1


async def test_a_run_by_hand_waits_for_the_lock(store: SqliteStore) -> None:
    watched = Watched()
    task = sharing(watched, "two", "warehouse", expression=None)
    holder = new_owner()
    await store.open()
    await store.renew(holder)
    await store.acquire(holder, "warehouse", "somebody")
    async with begin(SqliteStore(store.path, lease_seconds=4), QUIET, print) as session:
        asked = asyncio.ensure_future(run_by_hand(task, Request({}), session.ledger, session.executor))
        await asyncio.sleep(0.8)
        assert not watched.order
        await store.release(holder, "warehouse", "somebody")
        ended = await asyncio.wait_for(asked, 10)
    assert ended.outcome is Outcome.SUCCEEDED
    assert list(await store.locks()) == []
    await store.close()


async def test_a_run_by_hand_is_skipped_where_nothing_waits(store: SqliteStore) -> None:
    watched = Watched()
    task = sharing(watched, "two", "warehouse", expression=None, lock_policy=LockPolicy.SKIP)
    holder = new_owner()
    await store.open()
    await store.renew(holder)
    await store.acquire(holder, "warehouse", "somebody")
    async with begin(SqliteStore(store.path, lease_seconds=4), QUIET, print) as session:
        ended = await run_by_hand(task, Request({}), session.ledger, session.executor)
    assert (ended.outcome, ended.reason) == (Outcome.SKIPPED, "LockHeld")
    await store.close()


async def test_jitter_puts_the_start_off_and_leaves_the_nominal_time(store: SqliteStore) -> None:
    starts: list[float] = []

    async def run() -> None:
        starts.append(time.time())

    task = task_of(run, "*/5 * * * * *", jitter=3)
    async with Worker(store, task):
        await until(lambda: len(starts) >= 3, seconds=25)
    for record, started in zip(await recorded(store, task), starts, strict=False):
        assert record.scheduled_at % 5 == 0
        assert record.run_id == f"task-{record.scheduled_at}"
        put_off = task.ticks.first_from(record.scheduled_at)
        assert put_off is not None
        assert put_off <= started < record.scheduled_at + 5
