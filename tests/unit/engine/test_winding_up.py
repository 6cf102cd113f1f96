"""What is left to do of runs that have ended is done for each of them, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.engine.harness import recorded, task_of
from tests.unit.engine.test_work import EVERY_SECOND, Worker, noting, until
from timewright.engine.running import Running
from timewright.engine.task import Task
from timewright.engine.winding_up import WindingUp
from timewright.resources.vocabulary import Outcome
from timewright.runner import plain_call
from timewright.runner.current_run import CURRENT
from timewright.runner.run_result import RunResult
from timewright.storage.records import RunRecord
from timewright.storage.sqlite import SqliteStore


async def test_runs_are_wound_up_in_order_and_others_have_their_turn() -> None:
    wound_up: list[int] = []
    winding_up = WindingUp(lambda running: wound_up.append(cast("int", running)))
    for number in range(600):
        winding_up.take(cast("Running", number))
    assert not wound_up
    await asyncio.sleep(0)
    assert 0 < len(wound_up) < 600
    winding_up.wind_up_all()
    assert wound_up == list(range(600))
    winding_up.take(cast("Running", 600))
    await until(lambda: not len(winding_up))
    assert wound_up[-1] == 600


async def test_what_follows_from_the_end_of_a_run_is_no_part_of_it(tmp_path: Path) -> None:
    contexts: list[Any] = []
    async with Worker(SqliteStore(tmp_path / "state.db"), task_of(noting([]), EVERY_SECOND)) as worker:
        assert worker.executor is not None
        worker.executor.on_outcomes = lambda task, runs: contexts.append(CURRENT.get())
        await until(lambda: len(contexts) >= 2)
    assert set(contexts) == {None}


async def test_a_fault_at_the_end_of_one_run_costs_no_other_its_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = plain_call.wind_up

    def wind_up(called: Any, call: Any, output: Any, stop: Any) -> RunResult:
        if call.function is unlucky:
            raise RuntimeError("a fault of our own")
        return as_it_is(called, call, output, stop)

    async def unlucky() -> None:
        pass

    def tell(task: Task, runs: Sequence[RunRecord]) -> None:
        if task.name == "untold":
            raise RuntimeError("another fault of our own")

    monkeypatch.setattr(plain_call, "wind_up", wind_up)
    store = SqliteStore(tmp_path / "state.db")
    notes: list[tuple[int, float]] = []
    tasks = [task_of(noting([]), EVERY_SECOND, "untold"), task_of(unlucky, EVERY_SECOND, "unlucky")]
    async with Worker(store, *tasks, task_of(noting(notes), EVERY_SECOND, "lucky")) as worker:
        assert worker.executor is not None
        worker.executor.on_outcomes = tell
        await until(lambda: len(notes) >= 3)
    runs = await recorded(store)
    ended = {name: [run for run in runs if run.task == f"shop/{name}"] for name in ("untold", "unlucky", "lucky")}
    assert all(len(each) >= 2 for each in ended.values())
    assert {run.outcome for run in (*ended["untold"], *ended["lucky"])} == {Outcome.SUCCEEDED}
    assert {(run.outcome, run.message) for run in ended["unlucky"]} == {
        (Outcome.FAILED, "timewright failed: RuntimeError: a fault of our own")
    }
    assert any("untold: timewright failed to tell how a run ended" in line for line in worker.told)
