"""One shot: what is due runs once and is recorded, whatever else happens."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.engine.harness import NOON, QUIET, Flaky, invoke, outcomes, recorded, task_of
from timewright.decisions.policies import MissedRuns, Policies
from timewright.engine.executor import Executor
from timewright.engine.task import Condition
from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, Outcome, Trigger
from timewright.runner.current_run import current_run
from timewright.storage.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "state.db")


async def nothing() -> None:
    pass


async def test_runs_what_is_due_and_records_it(store: SqliteStore) -> None:
    hourly, at_five = task_of(nothing, "0 * * * *", "hourly"), task_of(nothing, "5 * * * *", "at-five")
    summary = await invoke(store, [hourly, at_five])
    assert [(run.task, run.outcome) for run in summary.runs] == [("shop/hourly", Outcome.SUCCEEDED)]
    assert summary.exit_code == 0
    (run,) = await recorded(store)
    assert (run.run_id, run.scheduled_at, run.outcome) == (f"hourly-{NOON}", NOON, Outcome.SUCCEEDED)
    assert run.started_at is not None
    assert run.finished_at is not None


async def test_tells_the_task_its_nominal_time(store: SqliteStore) -> None:
    seen = []
    task = task_of(lambda: seen.append(current_run()))
    await invoke(store, task, at=NOON + 42)
    assert [(run.task, int(run.scheduled_at.timestamp()), run.trigger) for run in seen] == [
        ("task", NOON, Trigger.SCHEDULE)
    ]


async def test_a_second_invocation_for_the_minute_finds_nothing(store: SqliteStore) -> None:
    task = task_of(nothing)
    await invoke(store, task)
    again = await invoke(store, task)
    assert again.runs == []
    assert len(await recorded(store)) == 1


async def test_of_invocations_side_by_side_one_runs_it(tmp_path: Path) -> None:
    started = []

    async def slow() -> None:
        started.append(1)
        await asyncio.sleep(0.2)

    path = tmp_path / "state.db"
    await asyncio.gather(*(invoke(SqliteStore(path), task_of(slow)) for _ in range(5)))
    assert len(started) == 1
    assert outcomes(await recorded(SqliteStore(path))) == [(0, Outcome.SUCCEEDED, "Completed")]


async def test_a_failure_is_recorded_and_gives_exit_code_1(store: SqliteStore) -> None:
    def fail() -> None:
        raise ValueError("no such order")

    summary = await invoke(store, [task_of(fail, name="bad"), task_of(nothing, name="good")])
    assert {(run.task, run.outcome) for run in summary.runs} == {
        ("shop/bad", Outcome.FAILED),
        ("shop/good", Outcome.SUCCEEDED),
    }
    assert summary.exit_code == 1
    bad = next(run for run in await recorded(store) if run.task == "shop/bad")
    assert bad.reason == "Exception"
    assert bad.message == "ValueError: no such order"


async def test_a_missed_invocation_is_seen_afterwards(store: SqliteStore) -> None:
    task = task_of(nothing)
    await invoke(store, task)
    await invoke(store, task, at=NOON + 5 * 60)
    assert outcomes(await recorded(store)) == [
        (0, Outcome.SUCCEEDED, "Completed"),
        *((minute, Outcome.MISSED, "Downtime") for minute in (1, 2, 3, 4)),
        (5, Outcome.SUCCEEDED, "Completed"),
    ]


async def test_all_missed_ticks_are_made_up_for_if_asked(store: SqliteStore) -> None:
    ran = []

    async def note() -> None:
        run = current_run()
        assert run is not None
        ran.append(((int(run.scheduled_at.timestamp()) - NOON) // 60, run.trigger))
        await asyncio.sleep(0.01)

    policies = Policies(ConcurrencyPolicy.QUEUE, missed_runs=MissedRuns(MissedRunsPolicy.ALL))
    task = task_of(note, policies=policies)
    await invoke(store, task)
    await invoke(store, task, at=NOON + 4 * 60)
    assert ran == [(0, Trigger.SCHEDULE), *((minute, Trigger.CATCH_UP) for minute in (1, 2, 3)), (4, Trigger.SCHEDULE)]
    assert {outcome for _, outcome, _ in outcomes(await recorded(store))} == {Outcome.SUCCEEDED}


async def test_ticks_within_the_minute_are_waited_for(store: SqliteStore) -> None:
    seconds: list[float] = []
    task = task_of(lambda: seconds.append(time.time()), "*/2 * * * * *")
    if time.time() % 60 > 55:
        await asyncio.sleep(60 - time.time() % 60)
    began = time.time()

    def stop_soon(executor: Executor) -> None:
        asyncio.get_running_loop().call_later(4.5, executor.begin_to_stop)

    await invoke(store, task, at=None, on_begin=stop_soon)
    ticks = [run.scheduled_at for run in await recorded(store) if run.outcome is Outcome.SUCCEEDED]
    assert len(ticks) >= 2
    assert all(tick % 2 == 0 for tick in ticks)
    assert all(moment >= began for moment in seconds)
    late = [moment - tick for moment, tick in zip(seconds, ticks, strict=True) if tick >= began]
    assert all(delay >= 0 for delay in late)


async def test_those_of_a_minute_long_past_are_not(store: SqliteStore) -> None:
    task = task_of(nothing, "*/20 * * * * *")
    began = time.monotonic()
    await invoke(store, task)
    assert time.monotonic() - began < 15
    assert [run.scheduled_at - NOON for run in await recorded(store)] == [0, 20, 40]


async def test_forbid_skips_what_is_due_while_a_run_is_active(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    gate = asyncio.Event()
    task = task_of(gate.wait, policies=Policies(ConcurrencyPolicy.FORBID), exclusive=True)
    first = asyncio.ensure_future(invoke(SqliteStore(path), task))
    await _until_open(path)
    second = await invoke(SqliteStore(path), task, at=NOON + 60)
    gate.set()
    await first
    assert [(run.outcome, run.reason) for run in second.runs] == [(Outcome.SKIPPED, "Overlap")]
    assert second.exit_code == 0


async def test_queue_waits_for_its_turn_in_another_invocation(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    gate = asyncio.Event()
    task = task_of(gate.wait, policies=Policies(ConcurrencyPolicy.QUEUE), exclusive=True)
    first = asyncio.ensure_future(invoke(SqliteStore(path), task))
    await _until_open(path)
    await invoke(SqliteStore(path), task, at=NOON + 60)
    assert outcomes(await recorded(SqliteStore(path))) == [(0, None, ""), (1, None, "")]
    gate.set()
    summary = await first
    assert len(summary.runs) == 2, "whoever makes room starts what waits for it"
    assert [outcome for _, outcome, _ in outcomes(await recorded(SqliteStore(path)))] == [Outcome.SUCCEEDED] * 2


async def test_replace_ends_the_active_run_and_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    async def only_the_first_hangs() -> None:
        run = current_run()
        assert run is not None
        if int(run.scheduled_at.timestamp()) == NOON:
            await asyncio.Event().wait()

    policies = Policies(ConcurrencyPolicy.REPLACE)
    first = asyncio.ensure_future(invoke(SqliteStore(path), task_of(only_the_first_hangs, policies=policies)))
    await _until_open(path)
    await invoke(SqliteStore(path), task_of(nothing, policies=policies), at=NOON + 60)
    await first
    replaced, taken = await recorded(SqliteStore(path))
    assert (replaced.outcome, replaced.reason) == (Outcome.CANCELLED, "Replaced")
    assert taken.outcome is Outcome.SUCCEEDED


async def test_conditions_skip_a_tick(store: SqliteStore) -> None:
    def broken() -> bool:
        raise RuntimeError("cannot tell")

    tasks = [
        task_of(nothing, name="no", conditions=(Condition("when the moon is full", lambda: False),)),
        task_of(nothing, name="yes", conditions=(Condition("always", lambda: True),)),
        task_of(nothing, name="broken", conditions=(Condition("broken()", broken),)),
    ]
    await invoke(store, tasks)
    runs = {run.task: run for run in await recorded(store)}
    assert runs["shop/no"].outcome is Outcome.SKIPPED
    assert runs["shop/no"].reason == "Condition"
    assert "when the moon is full" in runs["shop/no"].message
    assert runs["shop/yes"].outcome is Outcome.SUCCEEDED
    assert "cannot tell" in runs["shop/broken"].message


async def test_foreground_tasks_run_one_after_another_in_order(store: SqliteStore) -> None:
    log: list[str] = []

    def logging(name: str) -> object:
        async def run() -> None:
            log.append(f"{name} begins")
            await asyncio.sleep(0.02)
            log.append(f"{name} ends")

        return run

    await invoke(store, [task_of(logging(each), name=each, in_background=False) for each in "abc"])  # type: ignore[arg-type]
    assert log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_without_a_store_only_what_needs_no_protection_runs(tmp_path: Path) -> None:
    store = Flaky(SqliteStore(tmp_path / "state.db"))
    store.away = True
    told: list[str] = []
    summary = await invoke(
        store, [task_of(nothing, name="free"), task_of(nothing, name="exclusive", exclusive=True)], told=told
    )
    runs = {run.task: run for run in summary.runs}
    assert runs["shop/free"].outcome is Outcome.SUCCEEDED
    assert runs["shop/exclusive"].outcome is Outcome.SKIPPED
    assert runs["shop/exclusive"].reason == "Unprotected"
    assert summary.exit_code == 3
    assert any("the store is away" in line for line in told)


async def test_what_ran_without_a_store_is_recorded_once_it_is_back(tmp_path: Path) -> None:
    store = Flaky(SqliteStore(tmp_path / "state.db"))
    task = task_of(nothing)

    async def come_back() -> None:
        store.away = False

    await invoke(store, task, at=NOON - 60)
    store.away = True
    returning = task_of(come_back)
    summary = await invoke(store, returning)
    assert [run.outcome for run in summary.runs] == [Outcome.SUCCEEDED]
    assert outcomes(await recorded(store)) == [
        (-1, Outcome.SUCCEEDED, "Completed"),
        (0, Outcome.SUCCEEDED, "Completed"),
    ]
    assert (await invoke(store, task)).runs == []


async def test_exclusive_tasks_are_refused_where_the_store_is_no_protection(store: SqliteStore) -> None:
    surroundings = dataclasses.replace(QUIET, refusal="this Pod has a store of its own; set TIMEWRIGHT_STORE")
    summary = await invoke(store, task_of(nothing, exclusive=True), surroundings=surroundings)
    assert [(run.outcome, run.reason, run.message) for run in summary.runs] == [
        (Outcome.SKIPPED, "Unprotected", surroundings.refusal)
    ]
    assert summary.exit_code == 3


async def test_an_exclusive_task_is_told_once_while_the_store_is_away(tmp_path: Path) -> None:
    store = Flaky(SqliteStore(tmp_path / "state.db"))
    store.away = True
    task = task_of(nothing, policies=Policies(ConcurrencyPolicy.FORBID), exclusive=True)
    summary = await invoke(store, task, at=None)
    assert [run.reason for run in summary.runs] == ["Unprotected"]


async def test_one_task_that_cannot_be_decided_on_costs_no_other_its_run(store: SqliteStore) -> None:
    broken = task_of(nothing, name="broken")
    object.__setattr__(broken, "rules", broken.rules._replace(ticks=SimpleNamespace()))
    summary = await invoke(store, [broken, task_of(nothing, name="sound")])
    assert [(run.task, run.outcome) for run in summary.runs] == [("shop/sound", Outcome.SUCCEEDED)]
    assert "shop/broken" in summary.trouble[0]
    assert summary.exit_code == 3


async def test_stopping_cancels_what_is_active_and_records_it(store: SqliteStore) -> None:
    def stop_soon(executor: Executor) -> None:
        asyncio.get_running_loop().call_later(0.1, executor.stop_all, "SIGTERM")

    summary = await invoke(store, task_of(asyncio.Event().wait), on_begin=stop_soon)
    assert [run.outcome for run in summary.runs] == [Outcome.CANCELLED]
    assert [run.outcome for run in await recorded(store)] == [Outcome.CANCELLED]


async def _until_open(path: Path) -> None:
    for _ in range(500):
        if any(run.phase is not None for run in await recorded(SqliteStore(path))):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no run was started")
