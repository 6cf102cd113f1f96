"""Replicas that go on from one another: after a crash, after SIGTERM, and while the API server is away."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.cluster.api import LEASES, SCHEDULED_TASKS
from timewright.resources.vocabulary import Reason
from timewright.storage.kubernetes.journal import PROVEN, WATERMARK


def python(cluster: LiveCluster, name: str = "task", function: str = "note", **more: Any) -> None:
    cluster.daemon_task(name, command=None, python={"call": f"tests.unit.daemon.tasks:{function}"}, **more)


def ticks(name: str = "task") -> list[int]:
    return [tick for task, tick in tasks.started if task == name]


def total(cluster: LiveCluster, name: str = "task") -> int:
    return sum(cluster.status(name).get("counters", {}).values())


async def test_a_standby_takes_over_from_a_leader_that_was_killed() -> None:
    cluster = LiveCluster()
    python(cluster)
    python(cluster, "fails", "fail")
    first = Replica(cluster, "pod-1")
    async with Replica(cluster, "pod-2") as second:
        await until(lambda: second.leads)
        async with first:
            await until(lambda: len(ticks()) >= 3)
            assert not first.leads
            await second.kill()
            killed = time.time()
            await until(lambda: first.leads)
            assert time.time() - killed < 4 + 2 + 1, (
                "the duration of the Lease, two seconds, and one for a busy machine"
            )
            before = len(ticks())
            await until(lambda: len(ticks()) >= before + 3)
            await asyncio.sleep(2.5)
            for name in ("task", "fails"):
                assert max(Counter(ticks(name)).values()) == 1, "no tick starts twice"
                counters = cluster.status(name)["counters"]
                until_now = [tick for tick in ticks(name) if tick <= time.time() - 4]
                assert sum(counters.values()) >= len(until_now)
                assert counters["succeeded"] + counters["failed"] + counters["lost"] >= len(until_now)


async def test_at_sigterm_the_standby_takes_over_at_once_and_runs_come_to_their_end() -> None:
    cluster = LiveCluster()
    python(cluster)
    python(cluster, "long", "long", schedule="*/2 * * * * *", concurrencyPolicy="Forbid")
    async with Replica(cluster, "pod-1", lease_seconds=20) as first:
        await until(lambda: ticks("long"))
        async with Replica(cluster, "pod-2", lease_seconds=20) as second:
            await until(lambda: second.process.unready() is None)
            ended = asyncio.ensure_future(first.end())
            asked = time.time()
            await until(lambda: second.leads)
            assert time.time() - asked < 6, "it does not wait for the end of the Lease"
            assert await ended
            before = len(ticks())
            await until(lambda: len(ticks()) >= before + 3)
            await asyncio.sleep(2.5)
            for name in ("task", "long"):
                counters = cluster.status(name)["counters"]
                assert counters["lost"] == 0, (name, counters)
    assert max(Counter(ticks()).values()) == 1
    assert set(range(min(ticks()), max(ticks()))) <= set(ticks()), "no tick is missing"


async def test_while_the_api_server_is_away_nothing_starts_once_the_lease_is_in_doubt() -> None:
    cluster = LiveCluster()
    python(cluster, missedRuns={"policy": "Skip"})
    async with Replica(cluster) as replica:
        await until(lambda: len(ticks()) >= 2)
        replica.api.away = True
        cut = time.time()
        await asyncio.sleep(8)
        late = [tick for tick in ticks() if tick > cut + 4]
        assert late == []
        replica.api.away = False
        before = len(ticks())
        await until(lambda: len(ticks()) >= before + 2)
        await asyncio.sleep(3)
        assert max(Counter(ticks()).values()) == 1
        counters = cluster.status()["counters"]
    assert counters["lost"] == 0
    ended = counters["succeeded"] + counters["missed"]
    assert ended >= ticks()[-1] - ticks()[0] - 3, "each tick of that time ended in some way"


async def test_who_was_cut_off_and_deposed_starts_nothing_and_ends() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster, "pod-1") as first:
        await until(ticks)
        async with Replica(cluster, "pod-2") as second:
            first.api.away = True
            await until(lambda: second.leads)
            first.api.away = False
            assert first.life is not None
            assert await asyncio.wait_for(first.life, 20) is False
            await until(lambda: len(ticks()) > 4)
    assert max(Counter(ticks()).values()) == 1


async def test_a_run_that_nobody_can_prove_is_rerun_only_where_the_task_says_so() -> None:
    cluster = LiveCluster()
    python(cluster, "records", "endless", schedule="0 0 0 1 1 * 2099,2026", concurrencyPolicy="Allow")
    python(cluster, "every", "endless", schedule="* * * * * *", concurrencyPolicy="Forbid")
    python(cluster, "again", "endless", schedule="* * * * * *", concurrencyPolicy="Forbid", onLost="Rerun")
    first = Replica(cluster, "pod-1")
    async with first:
        await until(lambda: ticks("every") and ticks("again"))
        await asyncio.sleep(1.5)
        lost, again = ticks("every")[0], ticks("again")[0]
        await first.kill()
        async with Replica(cluster, "pod-2") as second:
            await until(lambda: second.leads)
            await until(lambda: ticks("again").count(again) == 2)
            await until(lambda: cluster.status("every").get("counters", {}).get("lost"))
            assert ticks("every").count(lost) == 1
            assert cluster.status("again").get("counters", {}).get("lost", 0) == 0


async def test_a_lease_that_somebody_deleted_doubles_nothing() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster) as first:
        await until(lambda: len(ticks()) >= 2)
        await until(lambda: cluster.status().get("decided"))
        await first.kill()
    cluster.remove(LEASES, "timewright-daemon-default")
    async with Replica(cluster, "pod-2"):
        before = len(ticks())
        await until(lambda: len(ticks()) >= before + 2)
    assert max(Counter(ticks()).values()) == 1


async def test_what_comes_due_after_a_leader_that_had_not_claimed_anything_yet_is_started() -> None:
    cluster = LiveCluster()
    await asyncio.sleep((12 - time.time() % 10) % 10)
    python(cluster, schedule="*/10 * * * * *")
    async with Replica(cluster) as first:
        await until(lambda: "decided" in cluster.status())
        await asyncio.sleep(7 - time.time() % 10)
        await first.kill()
    assert not tasks.started
    tick = int(time.time()) // 10 * 10 + 10
    async with Replica(cluster, "pod-2"):
        await until(lambda: cluster.status().get("counters", {}).get("succeeded", 0) > 0)
        counted = cluster.status()["counters"]["succeeded"]
    assert tasks.started[:1] == [("task", tick)]
    assert counted <= len(tasks.started)


async def test_while_nobody_can_read_the_lease_no_replica_is_ready() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster) as first:
        await until(lambda: len(ticks()) >= 2)
        assert first.process.unready() is None
        await first.kill()
    cluster.of(LEASES)["timewright-daemon-default"]["metadata"]["annotations"][WATERMARK] = "yesterday"
    before = len(ticks())
    async with Replica(cluster, "pod-2") as second, Replica(cluster, "pod-3") as third:
        for each in (second, third):
            await until(lambda each=each: "cannot be read" in (each.process.unready() or ""))
        assert len(ticks()) == before
        cluster.remove(LEASES, "timewright-daemon-default")
        await until(lambda: len(ticks()) > before)
        await until(lambda: second.process.unready() is None and third.process.unready() is None)


async def test_a_leader_that_ends_within_a_second_decides_on_all_of_its_ticks() -> None:
    cluster = LiveCluster()
    python(cluster)
    python(cluster, "waits", "long", concurrencyPolicy="Queue")
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads)
        await until(lambda: len(ticks()) >= 3)
        # What is due next is claimed by then, but for what may have to wait.
        await asyncio.sleep(1.6 - time.time() % 1)
    (lease,) = cluster.of(LEASES).values()
    told = lease["metadata"]["annotations"]
    assert told[PROVEN] == told[WATERMARK], "whoever comes next knows how each claimed tick ended"


async def test_a_leader_that_ends_as_a_run_makes_room_has_decided_all_the_same() -> None:
    cluster = LiveCluster()
    python(cluster)
    python(cluster, "waits", "last", concurrencyPolicy="Queue")
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads and len(ticks()) >= 3)
        cluster.ask("one", "waits")
        cluster.ask("two", "waits")
        executor = replica.process.leader and replica.process.leader.executor
        assert executor is not None
        tasks.at_end += [replica.process.stop.set, executor.begin_to_stop]
        await until(replica.process.stop.is_set)
        tasks.at_end.clear()
    (lease,) = cluster.of(LEASES).values()
    told = lease["metadata"]["annotations"]
    assert int(told[PROVEN]) >= max(ticks()), "whoever comes next knows how each tick that ran ended"


async def test_ticks_of_a_schedule_that_was_changed_while_nobody_was_there_are_recorded() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster) as first:
        await until(lambda: cluster.status().get("watermark") and len(ticks()) >= 2)
        await first.kill()
    await asyncio.sleep(2.5)
    cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(schedule="0 0 0 1 1 *"))
    async with Replica(cluster, "pod-2") as second:
        await until(lambda: second.leads and cluster.status()["counters"]["missed"] >= 2)
        told = {run["status"].get("reason") for run in cluster.runs().values()}
        assert Reason.SCHEDULE_CHANGED.value in told
