"""Tasks that leave a daemon whose leader dies meanwhile: what it ran has one outcome, and is counted once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from tests.unit.daemon.test_handover import come_back, once, outcomes, python, to_cron_job
from tests.unit.daemon.test_jobs import first_job, with_job
from timewright.cluster.api import SCHEDULED_TASKS
from timewright.daemon.documents import at
from timewright.engine import deciding
from timewright.engine.planning import Plan
from timewright.engine.task import Task
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


def seconds_decided(cluster: LiveCluster, since: int) -> int:
    """Return how many ticks of a task that ticks by the second are decided since an instant, as its status tells."""
    return int(parse_time(cluster.status()["watermark"]).timestamp()) - since


def handed_over(cluster: LiveCluster, **more: Any) -> int:
    """Create a task that the operator has given to the daemon; return the instant up to which others have decided."""
    python(cluster, **more)
    since = int(time.time())
    status = {"scheduledBy": "Daemon", "daemon": "default", "watermark": at(since), "counters": {"succeeded": 0}}
    cluster.edit(SCHEDULED_TASKS, "task", lambda body: body.update(status=status))
    return since


async def test_ticks_that_nobody_decides_since_a_task_is_to_leave_are_not_taken_for_decided_after_a_crash() -> None:
    cluster = LiveCluster()
    since = handed_over(cluster, function="wait_for_release", concurrencyPolicy="Queue")
    async with Replica(cluster) as first:
        await until(lambda: tasks.started)
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        left_at = time.time()
        await asyncio.sleep(4)  # the Lease is written meanwhile, and the status as well
        await first.kill()
    async with Replica(cluster, "pod-2") as second:
        await until(lambda: second.leads)
        await asyncio.sleep(2)
        await second.kill()
    async with Replica(cluster, "pod-3"):
        await until(lambda: cluster.status()["scheduledBy"] == "CronJob", 30)
    assert parse_time(cluster.status()["watermark"]).timestamp() <= left_at + 1
    assert total(cluster) == seconds_decided(cluster, since)
    assert cluster.status()["counters"].get("succeeded", 0) == 0


@pytest.mark.parametrize("then", ["leave", "die"])
async def test_ticks_that_could_not_be_claimed_are_not_taken_for_decided(then: str) -> None:
    cluster = LiveCluster()
    since = handed_over(cluster)
    async with Replica(cluster) as first:
        await until(lambda: len(tasks.started) >= 2)
        first.api.away = True
        await asyncio.sleep(2.5)
        started = len(tasks.started)
        if then == "leave":
            cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        first.api.away = False
        if then == "leave":
            await until(lambda: cluster.status()["scheduledBy"] == "CronJob")
        else:
            leader = first.process.leader
            assert leader is not None
            await leader.store.renew("")
            await first.kill()
            await asyncio.sleep(0.5)
    if then == "die":
        cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
        async with Replica(cluster, "pod-2"):
            await until(lambda: cluster.status()["scheduledBy"] == "CronJob", 30)
        assert cluster.status()["counters"].get("succeeded", 0) <= started
    assert total(cluster) == seconds_decided(cluster, since)


async def test_a_task_on_which_nothing_can_be_decided_says_so_to_the_next_leader_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = LiveCluster()
    since = handed_over(cluster)
    python(cluster, "other")
    plan = deciding.plan
    is_odd = [False]

    def failing(task: Task, *given: Any) -> Plan:
        if is_odd[0] and task.name == "task":
            raise RuntimeError("a fault")
        return plan(task, *given)

    monkeypatch.setattr(deciding, "plan", failing)
    async with Replica(cluster) as first:
        await until(lambda: len(tasks.started) >= 4)
        is_odd[0] = True
        await asyncio.sleep(4)
        leader = first.process.leader
        assert leader is not None
        assert (leader.store._page.decided_until or 0) > time.time() - 3, "how far the others are is told all the same"
        started = sum(name == "task" for name, _ in tasks.started)
        await first.kill()
    is_odd[0] = False
    cluster.edit(SCHEDULED_TASKS, "task", to_cron_job)
    async with Replica(cluster, "pod-2"):
        await until(lambda: cluster.status()["scheduledBy"] == "CronJob", 30)
    assert cluster.status()["counters"].get("succeeded", 0) <= started
    assert total(cluster) == seconds_decided(cluster, since)
