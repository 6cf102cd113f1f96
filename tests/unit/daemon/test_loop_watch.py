"""Functions that block the event loop, which all tasks of a daemon share."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.daemon.loop_watch import LoopWatch
from timewright.runner.event_loop import run

EVERY_THREE = "*/3 * * * * *"


def blocking(cluster: LiveCluster, function: str, *args: object) -> None:
    call = {"call": f"tests.unit.daemon.tasks:{function}", "args": list(args)}
    cluster.daemon_task(command=None, schedule=EVERY_THREE, concurrencyPolicy="Forbid", python=call)


def processes(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def held() -> float:
    return REGISTRY.get_sample_value("timewright_event_loop_held_total") or 0.0


async def test_a_function_that_blocks_gets_a_process_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster, path, before = LiveCluster(), tmp_path / "processes", held()
    blocking(cluster, "block", str(path), 1.8)
    async with Replica(cluster) as replica:
        await until(lambda: len(processes(path)) == 2)
        lag = replica.process.figures.lag()
        await until(lambda: cluster.status().get("counters", {}).get("succeeded") == 2)
    first, second = processes(path)[:2]
    assert first == os.getpid() != second
    assert (lag.lags, lag.reason) == (True, "EventLoopHeld")
    assert "tests.unit.daemon.tasks:block of task task" in lag.message
    assert held() == before + 1
    (line,) = [each.getMessage() for each in caplog.records if "holds up" in each.getMessage()]
    assert "tests/unit/daemon/tasks.py" in line


def test_so_does_one_that_blocks_in_a_coroutine_beside_its_own(tmp_path: Path) -> None:
    cluster, path = LiveCluster(), tmp_path / "processes"
    blocking(cluster, "block_in_a_part", str(path), 1.8)

    async def scenario() -> None:
        async with Replica(cluster):
            await until(lambda: len(processes(path)) == 2)

    run(scenario())
    first, second = processes(path)[:2]
    assert first == os.getpid() != second


async def test_one_that_would_cost_the_lease_is_interrupted(tmp_path: Path) -> None:
    cluster, path = LiveCluster(), tmp_path / "processes"
    blocking(cluster, "block_stubbornly", str(path))
    cluster.daemon_task("other", command=None, python={"call": "tests.unit.daemon.tasks:note"})
    async with Replica(cluster, lease_seconds=4, drain_seconds=0.2) as replica:
        await until(lambda: any(each["status"].get("outcome") == "Failed" for each in cluster.runs().values()))
        await until(lambda: len(processes(path)) == 2)
        assert replica.leads
        assert not replica.process.leader.is_lost  # type: ignore[union-attr]
        before = cluster.status("other")["counters"]["succeeded"]
        await until(lambda: cluster.status("other")["counters"]["succeeded"] >= before + 3)
    run = next(each["status"] for each in cluster.runs().values() if each["status"].get("outcome") == "Failed")
    assert run["reason"] == "Exception"
    assert "EventLoopHeld: it held up the event loop for" in run["message"]
    assert cluster.status()["counters"]["lost"] == 0
    assert cluster.status("other")["counters"]["lost"] == 0


async def test_what_is_no_task_is_told_of_and_not_interrupted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with LoopWatch(lambda: None, lambda: True) as watch:
        await asyncio.sleep(0.3)
        time.sleep(2)  # noqa: ASYNC251 - that is the point
        assert watch.standing_still > 1
        await asyncio.sleep(0.3)
        assert watch.standing_still < 1
        assert watch.held_by == ""
    assert [each.getMessage().partition(",")[0] for each in caplog.records] == ["the event loop stands still"]


async def test_many_short_steps_are_no_such_thing(caplog: pytest.LogCaptureFixture) -> None:
    async def step() -> None:
        time.sleep(0.02)  # noqa: ASYNC251 - as above

    with LoopWatch(lambda: None, lambda: True):
        await asyncio.sleep(0.3)
        await asyncio.gather(*(step() for _ in range(100)))
    assert not caplog.records
