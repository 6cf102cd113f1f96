"""The long-running form: each tick in its second, whatever changes meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from tests.unit.engine.harness import QUIET, Flaky, recorded, task_of
from timewright.decisions.policies import Policies
from timewright.decisions.task_state import OpenPhase
from timewright.engine import deciding, loop, roster
from timewright.engine.executor import Executor
from timewright.engine.loop import Loop
from timewright.engine.session import begin
from timewright.engine.task import Task
from timewright.engine.work import work
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome, Trigger
from timewright.runner.current_run import current_run
from timewright.storage.owner import new_owner
from timewright.storage.protocol import HistoryQuery, Store
from timewright.storage.records import Change, RunRecord
from timewright.storage.sqlite import SqliteStore

EVERY_SECOND = "* * * * * *"


class Tasks:
    """A source whose tasks a test changes."""

    def __init__(self, *tasks: Task) -> None:
        self.tasks: Sequence[Task] = tasks
        self.changed = False
        self.broken: Exception | None = None

    def replace(self, *tasks: Task) -> None:
        self.tasks, self.changed = tasks, True

    def load(self) -> Sequence[Task]:
        self.changed = False
        if self.broken is not None:
            raise self.broken
        return self.tasks

    def has_changed(self) -> bool:
        return self.changed


class Worker:
    """A `schedule:work` within this process."""

    def __init__(self, store: Store, *tasks: Task, drain_seconds: float = 5) -> None:
        self.source = Tasks(*tasks)
        self.told: list[str] = []
        self.executor: Executor | None = None
        self._store = store
        self._drain_seconds = drain_seconds
        self._began = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        def began(executor: Executor) -> None:
            self.executor = executor
            self._began.set()

        self._life = asyncio.ensure_future(
            work(
                self.source,
                self._store,
                surroundings=QUIET,
                tell=self.told.append,
                on_begin=began,
                drain_seconds=self._drain_seconds,
            )
        )
        await asyncio.wait_for(self._began.wait(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.executor is not None
        assert self._life is not None
        self.executor.begin_to_stop()
        await asyncio.wait_for(self._life, 30)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "state.db", lease_seconds=4)


def noting(notes: list[Any]) -> Callable[[], Any]:
    async def note() -> None:
        run = current_run()
        assert run is not None
        notes.append((int(run.scheduled_at.timestamp()), time.time()))

    return note


async def until(true: Callable[[], object], seconds: float = 15) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def test_each_tick_starts_once_in_order_and_not_before_its_second(store: SqliteStore) -> None:
    notes: list[tuple[int, float]] = []
    async with Worker(store, task_of(noting(notes), EVERY_SECOND)):
        await until(lambda: len(notes) >= 3)
    ticks = [tick for tick, _ in notes]
    assert ticks == sorted(set(ticks))
    assert all(moment >= tick for tick, moment in notes)
    runs = await recorded(store)
    assert [run.scheduled_at for run in runs if run.outcome is Outcome.SUCCEEDED] == ticks


async def test_claims_are_made_before_the_second(store: SqliteStore) -> None:
    """Seen from outside: a run is claimed while its nominal time is still to come."""
    async with Worker(store, task_of(noting([]), EVERY_SECOND)):
        reader = SqliteStore(store.path)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            before = time.time()
            if any(run.phase is OpenPhase.CLAIMED and run.scheduled_at > before for run in await recorded(reader)):
                return
            await asyncio.sleep(0.02)
    raise AssertionError("nothing was claimed ahead of its time")


async def test_forbid_skips_ticks_while_a_run_is_active(store: SqliteStore) -> None:
    gate = asyncio.Event()
    task = task_of(gate.wait, EVERY_SECOND, policies=Policies(ConcurrencyPolicy.FORBID))
    async with Worker(store, task) as worker:
        await until(lambda: worker.executor and worker.executor.active)
        await asyncio.sleep(2.2)
        gate.set()
        await asyncio.sleep(1.5)
    runs = await recorded(store)
    assert [run.outcome for run in runs[:3]] == [Outcome.SUCCEEDED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert runs[-1].outcome is Outcome.SUCCEEDED
    assert len({run.scheduled_at for run in runs}) == len(runs)


async def test_queued_ticks_run_one_after_another(store: SqliteStore) -> None:
    active, most = 0, 0

    async def slow() -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(1.2)
        active -= 1

    task = task_of(slow, EVERY_SECOND, policies=Policies(ConcurrencyPolicy.QUEUE))
    async with Worker(store, task, drain_seconds=20) as worker:
        await asyncio.sleep(4.5)
        worker.source.replace()
        await asyncio.sleep(1.5)
    assert most == 1
    runs = await recorded(store)
    assert len([run for run in runs if run.outcome is Outcome.SUCCEEDED]) >= 3
    assert all(run.outcome is Outcome.SUCCEEDED or run.phase is OpenPhase.QUEUED for run in runs)


async def test_changed_tasks_are_taken_over(store: SqliteStore) -> None:
    old: list[tuple[int, float]] = []
    new: list[tuple[int, float]] = []
    async with Worker(store, task_of(noting(old), EVERY_SECOND, "old")) as worker:
        await until(lambda: old)
        worker.source.replace(task_of(noting(new), EVERY_SECOND, "new"))
        await until(lambda: new)
        count = len(old)
        await asyncio.sleep(1.5)
        assert len(old) == count
        assert any("took over" in line for line in worker.told)


async def test_a_broken_change_leaves_the_schedule_as_it_was(store: SqliteStore) -> None:
    notes: list[tuple[int, float]] = []
    async with Worker(store, task_of(noting(notes), EVERY_SECOND)) as worker:
        worker.source.broken = ValueError("line 3: no such field")
        worker.source.changed = True
        await until(lambda: any("line 3: no such field" in line for line in worker.told))
        count = len(notes)
        await until(lambda: len(notes) > count)


async def test_while_the_store_is_away_tasks_run_unclaimed_and_exclusive_ones_do_not(tmp_path: Path) -> None:
    store = Flaky(SqliteStore(tmp_path / "state.db", lease_seconds=4))
    free: list[tuple[int, float]] = []
    exclusive: list[tuple[int, float]] = []
    tasks = (
        task_of(noting(free), EVERY_SECOND, "free"),
        task_of(noting(exclusive), EVERY_SECOND, "exclusive", exclusive=True),
    )
    async with Worker(store, *tasks) as worker:
        await until(lambda: free and exclusive)
        store.away = True
        await asyncio.sleep(1.2)
        during = len(exclusive)
        count = len(free)
        await until(lambda: len(free) >= count + 3)
        assert len(exclusive) == during
        store.away = False
        await until(lambda: len(exclusive) > during)
        assert any("the store is away" in line for line in worker.told)
        assert any("can be used again" in line for line in worker.told)
    ticks = [tick for tick, _ in free]
    assert len(ticks) == len(set(ticks)), "a tick ran twice"
    runs = await recorded(store, tasks[0])
    assert set(ticks) <= {run.scheduled_at for run in runs if run.outcome is Outcome.SUCCEEDED}
    assert all(run.outcome is not None for run in await recorded(store))


async def test_what_a_dead_process_left_is_recorded_as_lost(store: SqliteStore) -> None:
    task = task_of(noting([]), "0 0 1 1 *")
    other = SqliteStore(store.path, lease_seconds=1)
    await other.open()
    owner = new_owner()
    await other.renew(owner)
    now = int(time.time())
    run = RunRecord(task.key, "task-of-another", now, Trigger.SCHEDULE, OpenPhase.CLAIMED)
    assert await other.commit(owner, [Change(task.key, 0, now, task.schedule_id, runs=[run])]) == [True]
    await other.close()
    async with Worker(store, task):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            (known,) = await recorded(SqliteStore(store.path))
            if known.outcome is Outcome.LOST:
                return
            await asyncio.sleep(0.2)
    raise AssertionError("nobody noticed")


async def test_a_stop_waits_for_what_is_active(store: SqliteStore) -> None:
    async def slow() -> None:
        await asyncio.sleep(1.5)

    async with Worker(store, task_of(slow, EVERY_SECOND)) as worker:
        await until(lambda: worker.executor and worker.executor.active)
    assert {run.outcome for run in await recorded(store)} == {Outcome.SUCCEEDED}


async def test_but_not_for_ever(store: SqliteStore) -> None:
    async with Worker(store, task_of(asyncio.Event().wait, EVERY_SECOND), drain_seconds=0.5) as worker:
        await until(lambda: worker.executor and worker.executor.active)
    assert {run.outcome for run in await recorded(store)} == {Outcome.CANCELLED}


async def test_a_clock_that_jumps_neither_repeats_nor_hides_a_tick(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[tuple[int, float]] = []
    offset = 0.0
    clock = SimpleNamespace(time=lambda: time.time() + offset, monotonic=time.monotonic)
    for module in (loop, roster, deciding):
        monkeypatch.setattr(module, "time", clock)
    async with Worker(store, task_of(noting(notes), EVERY_SECOND)):
        await until(lambda: len(notes) >= 2)
        offset = 600.0
        await until(lambda: notes[-1][0] > time.time() + 500)
        offset = 0.0
        await asyncio.sleep(1)  # a tick that was claimed already still starts
        count = len(notes)
        await asyncio.sleep(2)
        assert len(notes) == count
    ticks = [tick for tick, _ in notes]
    assert len(ticks) == len(set(ticks))
    await store.open()
    counted = (await store.load(["shop/task"]))["shop/task"].counters
    await store.close()
    assert sum(counted.values()) == max(ticks) - min(ticks) + 1
    assert counted[Outcome.MISSED] > 500


async def test_one_task_on_which_deciding_fails_costs_no_other_a_tick(store: SqliteStore) -> None:
    class Broken:
        def first_from(self, instant: int) -> int | None:
            raise RuntimeError("this timetable is broken")

        last_until = first_from

        def count(self, start: int, end: int) -> int:
            raise RuntimeError("this timetable is broken")

    notes: list[tuple[int, float]] = []
    broken = task_of(noting([]), EVERY_SECOND, "broken")
    object.__setattr__(broken, "rules", broken.rules._replace(ticks=Broken()))
    async with Worker(store, task_of(noting(notes), EVERY_SECOND), broken) as worker:
        await until(lambda: len(notes) >= 3)
        assert any("broken: timewright failed to decide" in line for line in worker.told)


async def test_a_fault_in_one_second_does_not_end_the_loop(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[tuple[int, float]] = []
    claim, faults = deciding.Deciding.carry_out, iter([RuntimeError("a fault")])

    async def failing_once(self: Any, plans: Any, gate: Any) -> Any:
        fault = next(faults, None) if gate is not None else None
        if fault is not None:
            raise fault
        return await claim(self, plans, gate)

    monkeypatch.setattr(deciding.Deciding, "carry_out", failing_once)
    async with Worker(store, task_of(noting(notes), EVERY_SECOND)) as worker:
        await until(lambda: len(notes) >= 2)
        assert any("a fault" in line for line in worker.told)


async def test_others_see_that_a_long_run_has_started(store: SqliteStore) -> None:
    async with Worker(store, task_of(asyncio.Event().wait, EVERY_SECOND), drain_seconds=0.1):
        reader = SqliteStore(store.path)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            begun = [run for run in await recorded(reader) if run.phase is OpenPhase.RUNNING]
            if begun:
                assert begun[0].started_at is not None
                assert begun[0].started_at >= begun[0].scheduled_at
                return
            await asyncio.sleep(0.1)
    raise AssertionError("nobody can see it")


async def test_a_task_that_goes_away_in_the_second_of_its_tick_does_not_start(store: SqliteStore) -> None:
    notes: list[tuple[int, float]] = []
    staying: list[tuple[int, float]] = []
    stays = task_of(noting(staying), "*/5 * * * * *", "stays")
    async with begin(store, QUIET, lambda line: None) as session:
        loop, executor = Loop(session.ledger, session.executor), session.executor
        await loop.replace_tasks([task_of(noting(notes), "*/5 * * * * *", "goes"), stays])
        await executor.drain()  # it may have begun in the very second of a tick
        notes.clear()
        life = asyncio.ensure_future(loop.run())
        await until(lambda: any(each.waits for each in executor.active.values()))
        await loop.replace_tasks([stays])
        await until(lambda: staying)
        executor.begin_to_stop()
        await life
    assert notes == []
    last = [run for run in await recorded(store) if run.task == "shop/goes"][-1]
    assert (last.outcome, last.reason) == (Outcome.CANCELLED, "ScheduleChanged")


async def test_a_task_is_not_released_while_a_decision_on_it_is_on_its_way(tmp_path: Path) -> None:
    ran: list[str] = []
    task = task_of(lambda: ran.append("task"), EVERY_SECOND)
    store = SqliteStore(tmp_path / "runs.db")
    commit, is_slow, goes_on = store.commit, asyncio.Event(), asyncio.Event()

    async def slow(owner: str, changes: Sequence[Change]) -> Sequence[bool]:
        is_slow.set()
        await goes_on.wait()
        return await commit(owner, changes)

    async with begin(store, QUIET, print) as session:
        it = Loop(session.ledger, session.executor)
        await it.replace_tasks([task])
        store.commit = slow  # type: ignore[method-assign]
        await asyncio.sleep(1.1)
        deciding_now = asyncio.ensure_future(it.decide([task.key]))
        await is_slow.wait()
        releasing = asyncio.ensure_future(it.release_task(task.key))
        await asyncio.sleep(0.2)
        assert not releasing.done()
        goes_on.set()
        until = await releasing
        await deciding_now
        await session.executor.drain()
        later = [run for run in await store.history(HistoryQuery(tasks=[task.key])) if run.scheduled_at > until]
    assert later == [], "what was started is decided"
    assert ran
