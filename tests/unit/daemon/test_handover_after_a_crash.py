"""Tasks that leave a daemon whose leader dies meanwhile: what it ran has one outcome, and is counted once."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from tests.unit.daemon.test_handover import come_back, once, outcomes, python, to_cron_job
from tests.unit.daemon.test_jobs import first_job, with_job
from timewright.cluster.api import SCHEDULED_TASKS
from timewright.resources.model import parse_time


def total(cluster: LiveCluster) -> int:
    return sum(cluster.status()["counters"].values())


async def test_a_job_is_followed_by_the_next_leader_before_its_task_is_given_back() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule=once(), concurrencyPolicy="Forbid")
    async with Replica(cluster) as first:
        name = await until(lambda: first_job(cluster))
        assert name is not None
        await until(lambda: "decided" in cluster.status())
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await asyncio.sleep(0.5)
        await first.kill()
    async with Replica(cluster, "pod-2") as second:
        await until(lambda: second.leads)
        await asyncio.sleep(1)
        assert cluster.status()["scheduledBy"] == "Daemon", "its Job is active"
        cluster.finish(name)
        await until(lambda: cluster.status()["scheduledBy"] == "CronJob")
    assert outcomes(cluster) == {"Succeeded": 1}
    assert cluster.status()["counters"]["succeeded"] == total(cluster) == 1
    assert cluster.status()["countedRuns"] == [name]


async def test_a_run_that_died_with_its_leader_is_lost_when_its_task_is_given_back() -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", schedule=once())
    async with Replica(cluster) as first:
        await until(lambda: tasks.started)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await first.kill()
    async with Replica(cluster, "pod-2"):
        await until(lambda: cluster.status()["scheduledBy"] == "CronJob")
        await until(lambda: outcomes(cluster) == {"Lost": 1})
    assert cluster.status()["counters"]["lost"] == total(cluster) == 1


@pytest.mark.parametrize("is_back", [False, True])
async def test_a_job_that_outlasts_the_stay_of_its_task_and_its_leader_is_recorded_as_it_ends(is_back: bool) -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule=once())
    async with Replica(cluster) as first:
        name = await until(lambda: first_job(cluster))
        assert name is not None
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
        await first.kill()
    if is_back:
        cluster.edit(SCHEDULED_TASKS, "task", come_back)
    async with Replica(cluster, "pod-2") as second:
        await until(lambda: second.leads)
        await asyncio.sleep(1.5)
        assert "Lost" not in outcomes(cluster)
        cluster.finish(name)
        await until(lambda: outcomes(cluster) == {"Succeeded": 1})
        if is_back:
            await until(lambda: cluster.status()["counters"].get("succeeded") == 1)
    assert total(cluster) == is_back, "whoever decides by now counts it"


async def test_a_run_that_nobody_tells_of_any_more_is_counted_when_its_task_has_come_back() -> None:
    cluster = LiveCluster()
    python(cluster, function="wait_for_release", schedule=once())
    async with Replica(cluster) as first:
        await until(lambda: tasks.started)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await until(lambda: cluster.status().get("scheduledBy") == "CronJob")
        await first.kill()

    cluster.edit(SCHEDULED_TASKS, "task", come_back)
    async with Replica(cluster, "pod-2"):
        await until(lambda: outcomes(cluster) == {"Lost": 1})
        await until(lambda: cluster.status()["counters"].get("lost") == 1)
    assert total(cluster) == 1


@pytest.mark.parametrize("jitter", [None, 3])
async def test_no_tick_that_a_dead_leader_has_started_is_left_to_the_cron_job(jitter: int | None) -> None:
    cluster = LiveCluster()
    python(cluster, **({} if jitter is None else {"jitterSeconds": jitter}))
    async with Replica(cluster, writes_per_minute=1) as first:  # so the status tells of the first ticks at most
        await until(lambda: "decided" in cluster.status() and len(tasks.started) >= 4)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        await first.kill()
    async with Replica(cluster, "pod-2"):
        await until(lambda: cluster.status()["scheduledBy"] == "CronJob")
    ticks = [tick for _, tick in tasks.started]
    watermark = int(parse_time(cluster.status()["watermark"]).timestamp())
    assert watermark >= max(ticks)
    assert total(cluster) == watermark - min(ticks) + 1, "each has one outcome"
