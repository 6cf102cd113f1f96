"""Tasks of a daemon that share locks, and starts that are put off."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from tests.unit.daemon.test_jobs import with_job
from tests.unit.daemon.test_takeover import python, ticks
from timewright.cluster.api import SCHEDULED_TASKS

EVERY_SECOND = "* * * * * *"


def active_jobs(cluster: LiveCluster) -> list[str]:
    return sorted(name for name, job in cluster.jobs().items() if not (job.get("status") or {}).get("conditions"))


def task_of(job: str) -> str:
    return job.rpartition("-")[0]


def share(cluster: LiveCluster, *names: str, **more: Any) -> None:
    for name in names:
        with_job(cluster, name=name, **{"schedule": EVERY_SECOND, "locks": ["warehouse"], **more})


async def next_job(cluster: LiveCluster) -> str:
    active = await until(lambda: active_jobs(cluster))
    return active[0]


def counters(cluster: LiveCluster, name: str) -> dict[str, int]:
    found: dict[str, int] = cluster.status(name).get("counters") or {}
    return found


async def test_jobs_of_tasks_that_share_a_lock_come_one_after_the_other() -> None:
    cluster = LiveCluster()
    share(cluster, "one", "two")
    order = []
    async with Replica(cluster):
        for _ in range(6):
            name = await next_job(cluster)
            await asyncio.sleep(0.4)
            assert active_jobs(cluster) == [name]
            order.append(name)
            cluster.finish(name)
            await until(lambda name=name: name not in active_jobs(cluster))  # type: ignore[misc]
    assert Counter(map(task_of, order)).most_common()[0][1] <= 4, "the other one has its turns"
    for task in ("one", "two"):
        numbers = [int(name.rpartition("-")[2]) for name in order if task_of(name) == task]
        assert len(numbers) >= 2
        assert [each if each > 1e9 else each * 60 for each in numbers] == sorted(
            each if each > 1e9 else each * 60 for each in numbers
        )


async def test_a_lock_has_as_many_slots_as_the_daemon_says() -> None:
    cluster = LiveCluster()
    share(cluster, "one", "two", "three")
    async with Replica(cluster, lock_slots={"warehouse": 2}):
        await until(lambda: len(active_jobs(cluster)) == 2)
        await asyncio.sleep(1.5)
        assert len(active_jobs(cluster)) == 2


async def test_a_new_leader_keeps_the_lock_of_a_job_and_starts_what_waited_for_it() -> None:
    cluster = LiveCluster()
    share(cluster, "one", "two", maxQueued=1)
    async with Replica(cluster) as first:
        name = await next_job(cluster)
        other = "two" if task_of(name) == "one" else "one"
        await until(lambda: counters(cluster, other).get("skipped"))
        (waiting,) = cluster.status(other)["decided"]["queued"]
        await first.kill()
    async with Replica(cluster, "pod-2") as second:
        await until(lambda: second.leads)
        await asyncio.sleep(1.5)
        assert active_jobs(cluster) == [name]
        cluster.finish(name)
        following = await until(lambda: [each for each in active_jobs(cluster) if each != name])
        number = int(following[0].rpartition("-")[2])
        assert number in (waiting, waiting // 60)
        assert task_of(following[0]) == other
    assert counters(cluster, "one")["lost"] == counters(cluster, "two")["lost"] == 0


async def test_a_new_leader_waits_for_what_goes_on_in_the_process_of_the_one_before() -> None:
    cluster = LiveCluster()
    for name in ("one", "two"):
        python(cluster, name, "long", schedule="*/4 * * * * *", locks=["warehouse"])
    async with Replica(cluster) as first:
        await until(lambda: tasks.started)
        ending = asyncio.ensure_future(first.end())
        async with Replica(cluster, "pod-2") as second:
            await until(lambda: second.leads)
            before = len(tasks.started)
            await ending
            await until(lambda: len(tasks.started) > before)
            await until(lambda: len({task for task, _ in tasks.started}) == 2)
    assert max(Counter(tasks.started).values()) == 1
    assert counters(cluster, "one")["lost"] == counters(cluster, "two")["lost"] == 0


async def test_skip_is_told_with_the_holder() -> None:
    cluster = LiveCluster()
    share(cluster, "one", maxConcurrent=1, concurrencyPolicy="Forbid")
    async with Replica(cluster):
        name = await next_job(cluster)
        share(cluster, "two", lockPolicy="Skip")
        skipped = await until(
            lambda: [run for run in cluster.runs("two").values() if (run.get("status") or {}).get("outcome")]
        )
        status = skipped[0]["status"]
        assert (status["outcome"], status["reason"]) == ("Skipped", "LockHeld")
        assert status["message"] == f"lock 'warehouse' is held by shop/{name}"
        assert counters(cluster, "two").get("lost", 0) == 0


async def test_a_run_by_hand_waits_for_the_lock() -> None:
    cluster = LiveCluster()
    share(cluster, "one", concurrencyPolicy="Forbid")
    share(cluster, "two", schedule="0 0 1 1 *")
    async with Replica(cluster):
        name = await next_job(cluster)
        cluster.ask("now", "two")
        await until(lambda: (cluster.runs("two").get("now", {}).get("status") or {}).get("phase") == "Pending")
        await asyncio.sleep(0.5)
        assert active_jobs(cluster) == [name]
        cluster.edit(SCHEDULED_TASKS, "one", lambda body: body["spec"].update(suspend=True))
        await asyncio.sleep(1.2)
        cluster.finish(name)
        following = await until(lambda: [each for each in active_jobs(cluster) if each != name])
        assert following[0].startswith("now")


async def test_who_waits_for_which_lock_is_a_metric() -> None:
    cluster = LiveCluster()
    share(cluster, "one", "two")
    async with Replica(cluster) as replica:
        await next_job(cluster)
        registry = CollectorRegistry()
        registry.register(replica.process.figures)
        text = 'timewright_runs_waiting_for_lock{lock="warehouse"}'
        await until(lambda: text in generate_latest(registry).decode())


async def test_starts_are_put_off_and_named_by_their_ticks() -> None:
    cluster = LiveCluster()
    python(cluster, schedule="*/5 * * * * *", jitterSeconds=4)
    async with Replica(cluster) as replica:
        await until(lambda: len(ticks()) >= 3)
        await until(lambda: counters(cluster, "task").get("succeeded", 0) >= 3)
        leader = replica.process.leader
        assert leader is not None
        (task,) = leader.tasks.values()
        for tick in ticks():
            assert tick % 5 == 0
            start = task.ticks.first_from(tick)
            assert start is not None
            assert start <= time.time()
    for run in cluster.runs().values():
        assert run["spec"]["scheduledAt"][-3:-1] in {f"{second:02}" for second in range(0, 60, 5)}
        assert run["status"].get("startDelaySeconds", 0) <= 1
    assert counters(cluster, "task")["lost"] == 0
