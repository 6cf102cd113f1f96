"""Runs that are made ready before their second start in it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.unit.engine.harness import recorded, task_of
from tests.unit.engine.test_work import EVERY_SECOND, Worker, noting, until
from timewright.engine.executor import Executor
from timewright.engine.gate import Gate
from timewright.resources.vocabulary import Outcome
from timewright.storage.sqlite import SqliteStore


class _Asked:
    """A condition that notes when it is asked."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def refusal(self) -> str | None:
        self.at.append(time.time())
        return None


async def test_what_is_made_ready_before_its_second_starts_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def long_before(_: Executor, gate: Gate) -> float:
        return 0.2 if gate.waiting else 0.0

    monkeypatch.setattr(Executor, "seconds_to_open", long_before)
    notes: list[tuple[int, float]] = []
    conditional: list[tuple[int, float]] = []
    condition = _Asked()
    tasks = [task_of(noting(notes), EVERY_SECOND, name=f"plain-{number}") for number in range(50)]
    tasks += [
        task_of(noting(conditional), EVERY_SECOND, name="conditional", conditions=(condition,)),
        task_of(time.time, EVERY_SECOND, name="thread"),
    ]
    store = SqliteStore(tmp_path / "state.db", lease_seconds=4)
    async with Worker(store, *tasks):
        await until(lambda: len(notes) >= 4 * 50 and len(conditional) >= 4)
    assert all(moment >= tick for tick, moment in notes)
    for (tick, started), asked in zip(conditional, condition.at, strict=False):  # of the last one it may end in between
        assert tick <= asked <= started
    threads = [run for run in await recorded(store) if run.task == "shop/thread" and run.outcome is Outcome.SUCCEEDED]
    assert threads
    assert all((run.started_at or 0) >= run.scheduled_at for run in threads)
