"""Work beside other work: it outlives its own faults, and nothing outlives the context."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.unit.engine.harness import task_of
from tests.unit.engine.test_work import EVERY_SECOND, Worker
from timewright.engine import beside as module
from timewright.engine.beside import beside
from timewright.engine.deciding import Deciding
from timewright.storage.sqlite import SqliteStore


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.01)


async def test_a_fault_is_told_with_its_place_and_the_work_begins_anew() -> None:
    told: list[str] = []
    done = asyncio.Event()

    async def work() -> None:
        if len(told) < 2:
            raise KeyError("spring")
        done.set()

    async with beside([work], told.append):
        await asyncio.wait_for(done.wait(), 5)
    assert len(told) == 2
    assert told[0].startswith("timewright failed, and goes on: KeyError: 'spring' (line ")
    assert told[0].endswith(f" of {__file__})")


async def test_a_fault_of_one_leaves_the_others_alone_and_all_end_with_the_context() -> None:
    turns, ended = [0], list[str]()

    async def fail() -> None:
        raise ValueError

    async def turn() -> None:
        try:
            while True:
                await asyncio.sleep(0.01)
                turns[0] += 1
        finally:
            ended.append("turn")

    async with beside([fail, turn], lambda text: None):
        await asyncio.sleep(0.2)
    assert turns[0] > 3
    assert ended == ["turn"]
    before = turns[0]
    await asyncio.sleep(0.05)
    assert turns[0] == before


async def test_a_fault_while_one_run_is_started_costs_no_other_of_its_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    start = Deciding._start

    def failing(self: Deciding, entry: object, *given: object) -> None:
        if entry.task.name == "odd":  # type: ignore[attr-defined]
            raise RuntimeError("a fault")
        start(self, entry, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Deciding, "_start", failing)
    tasks = [task_of(lambda name=name: ran.append(name), EVERY_SECOND, name) for name in ("one", "odd", "other")]
    async with Worker(SqliteStore(tmp_path / "runs.db"), *tasks) as worker:
        for _ in range(200):
            await asyncio.sleep(0.05)
            if ran.count("other") >= 2:
                break
    assert ran.count("one") >= 2
    assert ran.count("other") >= 2
    assert "odd" not in ran
    assert any("odd: timewright failed to start: RuntimeError: a fault" in text for text in worker.told)
