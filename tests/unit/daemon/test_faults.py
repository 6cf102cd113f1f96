"""Faults of our own: none of them makes a leader deaf, mute, or idle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from tests.unit.daemon.test_handover import python, ticks, to_cron_job
from timewright.cluster.api import SCHEDULED_TASKS
from timewright.daemon.adoption import Adoption
from timewright.daemon.giving_back import GivingBack
from timewright.daemon.history import FullHistory
from timewright.daemon.known import Known
from timewright.daemon.writer import Writer
from timewright.engine.ledger import Ledger
from timewright.resources.model import parse_time


def faulty(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, faults: int, of: str = ""
) -> Iterator[RuntimeError]:
    """Have a method fail that many times, of one task alone where it is named; return the faults that are left."""
    method = getattr(owner, name)
    left = iter([RuntimeError("a fault")] * faults)

    def failing(self: Any, *given: Any, **more: Any) -> Any:
        task = given[-1] if given and hasattr(given[-1], "name") else None
        body = given[0] if given and isinstance(given[0], dict) else {"metadata": {"name": getattr(task, "name", "")}}
        if (not of or body["metadata"]["name"] == of) and (fault := next(left, None)) is not None:
            raise fault
        return method(self, *given, **more)

    monkeypatch.setattr(owner, name, failing)
    return left


def started(name: str) -> list[int]:
    return [tick for task, tick in tasks.started if task == name]


@pytest.mark.parametrize("owner", [Adoption, Known])
async def test_a_fault_about_one_task_is_made_up_for_and_hides_no_other(
    owner: type, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = LiveCluster()
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads)
        left = faulty(monkeypatch, owner, "adopt" if owner is Adoption else "put_task", 1, "odd")
        python(cluster, "odd")
        python(cluster, "other")
        await until(lambda: len(started("other")) >= 2)
        cluster.edit(SCHEDULED_TASKS, "odd", lambda body: body["metadata"].update(labels={"changed": "yes"}))
        await until(lambda: len(started("odd")) >= 2)
    assert next(left, None) is None
    assert "a fault" in caplog.text


async def test_a_fault_about_one_status_is_made_up_for_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = LiveCluster()
    left = faulty(monkeypatch, Writer, "_write_status", 2)
    python(cluster, "one")
    python(cluster, "other")
    async with Replica(cluster):
        await until(lambda: all("decided" in cluster.status(name) for name in ("one", "other")))
    assert next(left, None) is None
    assert "cannot write: RuntimeError: a fault (line " in caplog.text


async def test_a_fault_while_outcomes_are_recorded_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster):
        await until(lambda: len(ticks()) >= 2)
        left = faulty(monkeypatch, Ledger, "record_finished", 2)
        now = len(ticks())
        await until(lambda: cluster.status().get("counters", {}).get("succeeded", 0) > now)
    assert next(left, None) is None


async def test_a_fault_while_the_lease_is_renewed_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = LiveCluster()
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads)
        left = faulty(monkeypatch, Ledger, "_renew", 2)
        await asyncio.sleep(4)  # the Lease would be over by then
        python(cluster)
        await until(lambda: len(ticks()) >= 2)
        assert replica.leads
    assert next(left, None) is None


@pytest.mark.parametrize("step", ["_end_queued", "_wait_for_starts"])
async def test_a_fault_while_a_task_is_given_back_leaves_no_tick_of_that_time_decided(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = LiveCluster()
    left = faulty(monkeypatch, GivingBack, step, 2)
    python(cluster)
    async with Replica(cluster):
        await until(lambda: len(ticks()) >= 2)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
    assert next(left, None) is None
    watermark = parse_time(cluster.status()["watermark"]).timestamp()
    assert 0 <= watermark - max(ticks()) < 1


async def test_a_task_that_comes_back_after_a_fault_while_it_was_given_back_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster):
        await until(lambda: len(ticks()) >= 2 and cluster.status().get("scheduledBy") == "Daemon")
        left = faulty(monkeypatch, GivingBack, "_write", 1)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await asyncio.sleep(0.5)
        before = len(ticks())
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(mode="Daemon"))
        await until(lambda: len(ticks()) >= before + 3)
        told = cluster.status()["counters"]["succeeded"]
        await until(lambda: cluster.status()["counters"]["succeeded"] > told)
    assert next(left, None) is None
    assert sorted(set(ticks())) == list(range(min(ticks()), max(ticks()) + 1)), "each tick once, and none left out"
    assert len(ticks()) == len(set(ticks()))


async def test_a_fault_of_the_history_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    left = faulty(monkeypatch, FullHistory, "flush", 1)
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster, store="postgresql://nobody@127.0.0.1:1/none") as replica:
        await until(lambda: replica.leads and len(ticks()) >= 3)
        history = replica.process.leader and replica.process.leader.history
        assert history is not None
        await until(lambda: next(left, None) is None)
