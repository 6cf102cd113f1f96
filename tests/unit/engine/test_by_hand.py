"""Runs that somebody asks for: at once, once for each key, under the task's own policy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.harness import QUIET, recorded, task_of
from timewright.decisions.policies import Policies
from timewright.engine.by_hand import InvalidParametersError, Request
from timewright.engine.session import run_now
from timewright.engine.task import Condition, Task
from timewright.resources.kinds import Parameter
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome, Trigger
from timewright.runner.call import Call
from timewright.runner.definition import Definition
from timewright.storage.records import RunRecord
from timewright.storage.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def nothing() -> None:
    pass


async def by_hand(path: Path, task: Task, **more: Any) -> RunRecord:
    """Ask for a run with a store of one's own, as each process has."""
    parameters = more.pop("parameters", {})
    return await run_now(
        task, Request(parameters, **more), SqliteStore(path), surroundings=QUIET, tell=lambda line: None
    )


async def active(path: Path) -> None:
    """Wait until a run is active."""
    for _ in range(500):
        if any(run.phase is not None for run in await recorded(SqliteStore(path))):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no run was started")


async def test_runs_at_once_and_is_recorded_as_manual(path: Path) -> None:
    run = await by_hand(path, task_of(nothing, None))
    assert (run.outcome, run.trigger) == (Outcome.SUCCEEDED, Trigger.MANUAL)
    (known,) = await recorded(SqliteStore(path))
    assert (known.run_id, known.outcome) == (run.run_id, Outcome.SUCCEEDED)


async def test_of_requests_with_one_key_the_first_runs(path: Path) -> None:
    calls = []
    task = task_of(lambda: calls.append(1))
    runs = await asyncio.gather(*(by_hand(path, task, idempotency_key="order 7") for _ in range(4)))
    assert len(calls) == 1
    assert len({run.run_id for run in runs}) == 1
    assert {run.outcome for run in runs} == {Outcome.SUCCEEDED}


async def test_forbid_refuses_it_while_a_run_is_active_unless_it_overrides(path: Path) -> None:
    gate = asyncio.Event()
    policies = Policies(ConcurrencyPolicy.FORBID)
    first = asyncio.ensure_future(by_hand(path, task_of(gate.wait, policies=policies)))
    await active(path)
    second = await by_hand(path, task_of(nothing, policies=policies))
    third = await by_hand(path, task_of(nothing, policies=policies), override=True)
    gate.set()
    await first
    assert (second.outcome, second.reason) == (Outcome.SKIPPED, "Overlap")
    assert third.outcome is Outcome.SUCCEEDED


async def test_queue_makes_it_wait_for_its_turn(path: Path) -> None:
    gate = asyncio.Event()
    policies = Policies(ConcurrencyPolicy.QUEUE)
    first = asyncio.ensure_future(by_hand(path, task_of(gate.wait, policies=policies)))
    await active(path)
    second = asyncio.ensure_future(by_hand(path, task_of(nothing, policies=policies)))
    await asyncio.sleep(0.3)
    assert not second.done()
    gate.set()
    assert (await first).outcome is Outcome.SUCCEEDED
    assert (await second).outcome is Outcome.SUCCEEDED


async def test_conditions_are_for_ticks(path: Path) -> None:
    task = task_of(nothing, conditions=(Condition("never", lambda: False),))
    assert (await by_hand(path, task)).outcome is Outcome.SUCCEEDED


async def test_declared_parameters_are_filled_in_and_others_refused(path: Path) -> None:
    seen: list[Any] = []

    def note(since: str, limit: int) -> None:
        seen.append((since, limit))

    task = Task(
        definition=Definition(
            "report",
            "shop",
            "call",
            Call(note),
            [Parameter(name="since"), Parameter(name="limit", type="integer", default=10)],
        ),
        key="shop/report",
        timetable=None,
        schedule_id="",
    )
    run = await by_hand(path, task, parameters={"since": "yesterday"})
    assert seen == [("yesterday", 10)]
    assert run.parameters == {"since": "yesterday", "limit": 10}
    with pytest.raises(InvalidParametersError, match="nobody"):
        await by_hand(path, task, parameters={"since": "yesterday", "nobody": 1})
    with pytest.raises(InvalidParametersError, match="since"):
        await by_hand(path, task)
