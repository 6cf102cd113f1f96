"""Runs that are Jobs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from tests.unit.daemon.harness import LiveApi, LiveCluster, Manifest, Replica, until
from tests.unit.daemon.test_interrupted_writes import SlowApi
from timewright.cluster.api import CONNECTIONS, JOBS, SCHEDULED_TASKS, TASK_RUNS, Resource

EVERY_TWO = "*/2 * * * * *"
YEARLY = "0 0 1 1 *"


def with_job(cluster: LiveCluster, **more: Any) -> None:
    template = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "none:1"}]}}}}
    cluster.daemon_task(command=None, jobTemplate=template, **more)


def first_job(cluster: LiveCluster) -> str | None:
    return min(cluster.jobs(), default=None)


async def test_a_tick_becomes_a_job_of_the_task_and_its_end_a_record() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule=EVERY_TWO)
    async with Replica(cluster):
        name = await until(lambda: first_job(cluster))
        assert name is not None
        job = cluster.jobs()[name]
        cluster.finish(name, succeeded=False)
        await until(lambda: cluster.runs().get(name, {}).get("status", {}).get("outcome") == "Failed")
    tick = int(name.rpartition("-")[2])
    tick = tick if tick % 60 else tick * 60
    assert job["metadata"]["labels"]["timewright.dev/task"] == "task"
    assert job["metadata"]["labels"]["timewright.dev/daemon"] == "default"
    assert job["metadata"]["ownerReferences"][0]["kind"] == "ScheduledTask"
    assert "timewright.dev/scheduled-at" in job["spec"]["template"]["metadata"]["annotations"]
    assert cluster.runs()[name]["status"]["jobName"] == name


async def test_forbid_holds_before_a_job_is_made() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule="* * * * * *", concurrencyPolicy="Forbid")
    async with Replica(cluster):
        await until(lambda: first_job(cluster))
        await until(lambda: cluster.status().get("counters", {}).get("skipped", 0) >= 2)
        assert len(cluster.jobs()) == 1


async def test_a_new_leader_goes_on_with_the_jobs_of_the_one_before() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule="* * * * * *", concurrencyPolicy="Forbid")
    async with Replica(cluster) as first:
        name = await until(lambda: first_job(cluster))
        assert name is not None
        await first.kill()
    async with Replica(cluster, "pod-2") as second:
        await until(lambda: second.leads)
        assert list(cluster.jobs()) == [name]
        cluster.finish(name)
        await until(lambda: cluster.status().get("counters", {}).get("succeeded") == 1)
        await until(lambda: len(cluster.jobs()) == 2)
    assert cluster.status()["counters"]["lost"] == 0


async def test_a_new_leader_makes_no_job_beside_one_that_leaves_no_room() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule="* * * * * *", concurrencyPolicy="Queue", maxQueued=2)
    # It claims every second, and by that for the other task as well, as far as the Lease can tell.
    cluster.daemon_task("other", command=None, python={"call": "tests.unit.daemon.tasks:note"})
    async with Replica(cluster) as first:
        name = await until(lambda: first_job(cluster))
        await asyncio.sleep(2.5 - time.time() % 1)
        await first.kill()
    async with Replica(cluster, "pod-1") as second:
        await until(lambda: second.leads)
        await asyncio.sleep(1.5)
        assert list(cluster.jobs()) == [name]
        assert name is not None
        cluster.finish(name)
        await until(lambda: len(cluster.jobs()) == 2)


async def test_at_sigterm_jobs_go_on_and_are_not_lost() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule="* * * * * *", concurrencyPolicy="Forbid")
    async with Replica(cluster) as first:
        name = await until(lambda: first_job(cluster))
        assert name is not None
        await first.end()
    async with Replica(cluster, "pod-2"):
        cluster.finish(name)
        await until(lambda: cluster.status().get("counters", {}).get("succeeded") == 1)
    assert cluster.status()["counters"]["lost"] == 0


async def test_who_was_deposed_leaves_the_jobs_alone_that_another_leader_follows() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule=EVERY_TWO, concurrencyPolicy="Replace")
    async with Replica(cluster, "pod-1") as first:
        await until(lambda: first_job(cluster))
        async with Replica(cluster, "pod-2") as second:
            first.api.away = True
            await until(lambda: second.leads)
            cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(suspend=True))
            await until(lambda: cluster.status().get("decided", {}).get("suspended"))
            (name,) = cluster.jobs()
            uid = cluster.jobs()[name]["metadata"]["uid"]
            first.api.away = False
            assert first.life is not None
            assert await asyncio.wait_for(first.life, 20) is False
            assert cluster.jobs()[name]["metadata"]["uid"] == uid


class Forgetful(LiveApi):
    """Creates a Job without an answer, and then nothing more for a while."""

    async def create_as_given(self, resource: Resource, body: Manifest) -> Manifest:
        answer = await super().create_as_given(resource, body)
        self.away = True
        asyncio.get_running_loop().call_later(5.0, lambda: setattr(self, "away", False))
        raise TimeoutError(answer["metadata"]["name"])


async def test_a_job_that_was_created_without_an_answer_is_not_taken_for_missed() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule="* * * * * *", concurrencyPolicy="Forbid")
    replica = Replica(cluster)
    replica.api = Forgetful(cluster)
    async with replica:
        name = await until(lambda: first_job(cluster))
        assert name is not None
        await asyncio.sleep(4.5)  # longer than the Lease is trusted
        await until(lambda: not replica.api.away)
        cluster.finish(name)
        await until(lambda: cluster.runs().get(name, {}).get("status", {}).get("outcome"))
    assert cluster.runs()[name]["status"]["outcome"] == "Succeeded"


class Busy(LiveApi):
    """Creates Jobs once it is told to go on."""

    def __init__(self, cluster: LiveCluster) -> None:
        super().__init__(cluster)
        self.goes_on = asyncio.Event()
        self.asked = 0

    async def create_as_given(self, resource: Resource, body: Manifest) -> Manifest:
        self.asked += 1
        await self.goes_on.wait()
        return await super().create_as_given(resource, body)


async def test_a_thousand_jobs_at_once_leave_room_for_the_lease_and_ask_in_turn_whether_they_may() -> None:
    cluster = LiveCluster()
    number, due = 2 * CONNECTIONS, time.gmtime(time.time() + 3)
    for each in range(number):
        with_job(cluster, name=f"task-{each}", schedule=f"{due.tm_sec} {due.tm_min} {due.tm_hour} * * *")
    replica = Replica(cluster, lease_seconds=20)
    replica.api = api = Busy(cluster)
    async with replica:
        await until(lambda: api.asked)
        await asyncio.sleep(0.2)
        asked = api.asked
        assert asked < CONNECTIONS
        assert replica.process.leader is not None
        replica.process.leader.tenure.jobs.may_act = lambda: False
        api.goes_on.set()
        await until(lambda: len(cluster.jobs()) == asked)
        await until(
            lambda: (
                sum(cluster.status(f"task-{each}").get("counters", {}).get("missed", 0) for each in range(number))
                == number - asked
            )
        )
        assert api.asked == asked


async def test_replace_deletes_the_job_of_the_run_before() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule=EVERY_TWO, concurrencyPolicy="Replace")
    async with Replica(cluster):
        name = await until(lambda: first_job(cluster))
        await until(lambda: name not in cluster.jobs() and cluster.jobs())
        await until(lambda: cluster.status().get("counters", {}).get("cancelled"))


async def test_finished_jobs_go_once_they_are_recorded_beyond_the_limit() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule="* * * * * *", successfulJobsHistoryLimit=1)
    async with Replica(cluster):
        for _ in range(4):
            name = await until(
                lambda: (
                    next((name for name, job in cluster.jobs().items() if not job["status"].get("conditions")), None)
                    if all("status" in job for job in cluster.jobs().values())
                    else next((name for name, job in cluster.jobs().items() if "status" not in job), None)
                )
            )
            cluster.finish(name)
        await until(lambda: sum("status" in job for job in cluster.jobs().values()) <= 2)


class Watching(SlowApi):
    """Notes which Jobs are deleted of which no record tells how they ended."""

    def __init__(self, cluster: LiveCluster) -> None:
        super().__init__(cluster)
        self.deleted: list[str] = []
        self.unrecorded: list[str] = []

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        if resource is JOBS:
            self.deleted.append(name)
            if not self.live.runs().get(name, {}).get("status", {}).get("outcome"):
                self.unrecorded.append(name)
        await super().delete(resource, namespace, name, uid)


async def test_no_job_goes_before_it_is_recorded_even_if_it_ends_while_others_are() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule="* * * * * *", successfulJobsHistoryLimit=0)
    replica = Replica(cluster)
    replica.api = api = Watching(cluster)
    api.seconds = 1.2
    async with replica:
        deadline = time.monotonic() + 30
        while len(api.deleted) < 3 and time.monotonic() < deadline:
            for name, job in cluster.jobs().items():
                if not (job.get("status") or {}).get("conditions"):
                    cluster.finish(name)
            await asyncio.sleep(0.05)
    assert len(api.deleted) >= 3
    assert api.unrecorded == []


async def test_a_run_by_hand_is_a_job_with_its_parameters() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule=YEARLY, parameters=[{"name": "region", "default": "eu"}])
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads)
        cluster.ask("now", "task", parameters={"region": "us"})
        name = await until(lambda: first_job(cluster))
        assert name is not None
        environment = {
            each["name"]: each.get("value")
            for each in cluster.jobs()[name]["spec"]["template"]["spec"]["containers"][0]["env"]
        }
        assert environment["TIMEWRIGHT_PARAMETER_REGION"] == "us"
        cluster.finish(name)
        await until(lambda: cluster.of(TASK_RUNS)["now"].get("status", {}).get("outcome") == "Succeeded")
    assert cluster.of(TASK_RUNS)["now"]["status"]["jobName"] == name


async def test_a_job_that_somebody_deletes_ends_its_run() -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule="* * * * * *", concurrencyPolicy="Forbid")
    async with Replica(cluster):
        name = await until(lambda: first_job(cluster))
        assert name is not None

        def change(body: dict[str, Any]) -> None:
            body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

        cluster.edit(JOBS, name, change)
        await until(lambda: cluster.status().get("counters", {}).get("cancelled") == 1)


class DyingApi(LiveApi):
    """Says when a Job is deleted, and nothing is heard of its process from then on."""

    def __init__(self, cluster: LiveCluster, *, deletes: bool) -> None:
        super().__init__(cluster)
        self._deletes = deletes
        self.deleted: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        if resource is JOBS and not self.deleted.done():
            if self._deletes:
                await super().delete(resource, namespace, name, uid)
            self.away = True
            self.deleted.set_result(name)
            await asyncio.sleep(60)
        await super().delete(resource, namespace, name, uid)


@pytest.mark.parametrize("deletes", [True, False])
async def test_a_run_whose_leader_dies_while_it_ends_its_job_is_not_started_again(deletes: bool) -> None:
    cluster = LiveCluster()
    with_job(cluster, schedule=EVERY_TWO, concurrencyPolicy="Replace")
    made: Counter[str] = Counter()
    tell = cluster._tell

    def count(kind: str, plural: str, body: Manifest) -> None:
        made[body["metadata"]["name"]] += plural == JOBS.plural and kind == "ADDED"
        tell(kind, plural, body)

    cluster._tell = count  # type: ignore[method-assign]
    first = Replica(cluster)
    first.api = api = DyingApi(cluster, deletes=deletes)
    async with first:
        name = await asyncio.wait_for(api.deleted, 20)
        await first.kill()
    assert (name in cluster.jobs()) is not deletes
    async with Replica(cluster, "pod-2"):
        await until(lambda: cluster.status().get("counters", {}).get("cancelled"))
        await until(lambda: name not in cluster.jobs())
        await asyncio.sleep(2)
    assert made[name] == 1
    assert cluster.runs()[name]["status"]["outcome"] == "Cancelled"
