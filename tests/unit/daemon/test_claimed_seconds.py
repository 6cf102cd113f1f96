"""Changes that come between the claim of a tick and its second."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.cluster.api import SCHEDULED_TASKS


def python(cluster: LiveCluster, name: str = "task", function: str = "note", **more: Any) -> None:
    cluster.daemon_task(name, command=None, python={"call": f"tests.unit.daemon.tasks:{function}"}, **more)


def ticks(name: str = "task") -> list[int]:
    return [tick for task, tick in tasks.started if task == name]


async def claimed(replica: Replica, name: str = "task") -> int:
    """Wait for a tick that is claimed and whose second has not come yet; return it."""

    def waiting() -> int | None:
        leader = replica.process.leader
        if leader is None or leader.executor is None:
            return None
        runs = [each for each in leader.executor.active.values() if each.waits and each.task.name == name]
        soon = [each.run.scheduled_at for each in runs if each.run.scheduled_at - time.time() > 0.2]
        return soon[0] if soon else None

    tick = await until(waiting)
    assert tick is not None
    return tick


async def test_a_tick_that_the_new_schedule_has_not_does_not_start() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster) as replica:
        await until(lambda: len(ticks()) >= 2)
        tick = await claimed(replica)
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(schedule="0 0 1 1 *"))
        await until(lambda: cluster.status().get("counters", {}).get("cancelled"))
        await until(lambda: time.time() > tick + 0.5)
    assert tick not in ticks()
    record = next(run for run in cluster.runs().values() if run["status"]["outcome"] == "Cancelled")
    assert record["status"]["reason"] == "ScheduleChanged"


async def test_a_tick_of_a_task_that_was_suspended_meanwhile_does_not_start() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster) as replica:
        await until(lambda: len(ticks()) >= 2)
        tick = await claimed(replica)
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(suspend=True))
        await until(lambda: time.time() > tick + 0.5)
    assert tick not in ticks()


async def test_a_tick_of_a_task_that_was_deleted_meanwhile_does_not_start() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster) as replica:
        await until(lambda: len(ticks()) >= 2)
        tick = await claimed(replica)
        cluster.remove(SCHEDULED_TASKS, "task")
        await until(lambda: time.time() > tick + 0.5)
    assert tick not in ticks()


async def test_a_tick_that_both_have_runs_what_the_task_says_now() -> None:
    cluster = LiveCluster()
    python(cluster, "task")
    async with Replica(cluster) as replica:
        await until(lambda: len(ticks()) >= 2)
        tick = await claimed(replica)
        call = {"call": "tests.unit.daemon.tasks:fail"}
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(python=call))
        await until(lambda: tick in ticks())
        await until(lambda: cluster.status().get("counters", {}).get("failed"))
        await asyncio.sleep(1.5)
    assert ticks().count(tick) == 1
    failed = [run["spec"]["scheduledAt"] for run in cluster.runs().values() if run["status"]["outcome"] == "Failed"]
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(tick)) in failed
