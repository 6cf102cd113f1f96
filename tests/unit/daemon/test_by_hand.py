"""TaskRuns made by hand for tasks of a daemon."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveApi, LiveCluster, Manifest, Replica, until
from timewright.cluster.api import SCHEDULED_TASKS, TASK_RUNS, Resource
from timewright.daemon.writer import Writer
from timewright.desired.names import DAEMON_LABEL

YEARLY = "0 0 1 1 *"


def python(cluster: LiveCluster, name: str = "task", function: str = "note", **more: Any) -> None:
    call = {"call": f"tests.unit.daemon.tasks:{function}"}
    cluster.daemon_task(name, command=None, python=call, **{"schedule": YEARLY, **more})


def told(cluster: LiveCluster, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.of(TASK_RUNS)[name].get("status") or {}
    return found


async def test_a_suspended_task_runs_by_hand_within_a_second() -> None:
    cluster = LiveCluster()
    python(cluster, suspend=True, parameters=[{"name": "region", "default": "eu"}])
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads and cluster.status().get("watermark"))
        asked = time.monotonic()
        cluster.ask("now", "task")
        await until(lambda: tasks.started)
        assert time.monotonic() - asked < 1
        await until(lambda: told(cluster, "now").get("outcome"))
        await until(lambda: cluster.status()["counters"]["succeeded"] == 1)
    run = cluster.of(TASK_RUNS)["now"]
    assert run["status"]["outcome"] == "Succeeded"
    assert run["metadata"]["ownerReferences"][0]["name"] == "task"
    assert cluster.status()["countedRuns"] == ["now"]


async def test_parameters_keys_and_overlap_are_judged() -> None:
    cluster = LiveCluster()
    python(cluster, function="long", concurrencyPolicy="Forbid", parameters=[{"name": "region", "default": "eu"}])
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads)
        cluster.ask("wrong", "task", parameters={"color": "red"})
        await until(lambda: told(cluster, "wrong").get("outcome") == "Failed")
        cluster.ask("first", "task", idempotencyKey="a")
        await until(lambda: told(cluster, "first").get("phase") == "Running")
        cluster.ask("second", "task")
        cluster.ask("same", "task", idempotencyKey="a")
        cluster.ask("anyway", "task", override=True)
        await until(lambda: told(cluster, "second").get("outcome"))
        await until(lambda: told(cluster, "same").get("outcome"))
        await until(lambda: told(cluster, "anyway").get("phase") == "Running")
        await until(lambda: told(cluster, "first").get("outcome") == "Succeeded")
    assert told(cluster, "wrong")["reason"] == "InvalidParameters"
    assert (told(cluster, "second")["outcome"], told(cluster, "second")["reason"]) == ("Skipped", "Overlap")
    assert (told(cluster, "same")["outcome"], told(cluster, "same")["reason"]) == ("Skipped", "DuplicateKey")


async def test_one_that_waits_starts_when_there_is_room() -> None:
    cluster = LiveCluster()
    python(cluster, function="long", concurrencyPolicy="Queue")
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads)
        cluster.ask("first", "task")
        await until(lambda: told(cluster, "first").get("phase") == "Running")
        cluster.ask("second", "task")
        await until(lambda: told(cluster, "second").get("phase") == "Pending")
        await until(lambda: told(cluster, "second").get("outcome") == "Succeeded")
    assert len(tasks.started) == 2


async def test_a_run_by_hand_of_a_leader_that_died_is_lost_and_counted_once() -> None:
    cluster = LiveCluster()
    python(cluster, function="endless")
    async with Replica(cluster) as first:
        await until(lambda: first.leads)
        cluster.ask("now", "task")
        await until(lambda: told(cluster, "now").get("phase") == "Running" and tasks.started)
        await first.kill()
    async with Replica(cluster, "pod-2"):
        await until(lambda: told(cluster, "now").get("outcome") == "Lost")
        await until(lambda: cluster.status().get("counters", {}).get("lost") == 1)
    assert len(tasks.started) == 1


async def test_what_ends_as_its_leader_is_told_to_end_is_not_lost() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads and cluster.status().get("watermark"))
        cluster.ask("now", "task")
        await until(lambda: tasks.started)
    assert told(cluster, "now").get("outcome") == "Succeeded"
    async with Replica(cluster, "pod-2"):
        await until(lambda: cluster.status()["counters"]["succeeded"] == 1)
    assert told(cluster, "now")["outcome"] == "Succeeded"


async def test_what_is_refused_starts_neither_before_nor_after_that_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = LiveCluster()
    python(cluster, function="take_a_moment", concurrencyPolicy="Forbid")
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads and cluster.status().get("watermark"))
        assert replica.process.leader is not None
        writer, released = replica.process.leader.writer, asyncio.Event()
        write = writer.write

        async def late(key: str) -> int:
            await released.wait()
            return await write(key)

        monkeypatch.setattr(writer, "write", late)
        cluster.ask("first", "task")
        await until(lambda: tasks.started)
        cluster.ask("second", "task")
        await asyncio.sleep(1.0)
        # Something about it changes while the first one does not stand in its way any more.
        cluster.edit(TASK_RUNS, "second", lambda body: body["metadata"].setdefault("labels", {}).update(some="label"))
        await asyncio.sleep(0.5)
        released.set()
        await until(lambda: told(cluster, "second").get("outcome"))
        await until(lambda: cluster.status()["counters"]["skipped"] == 1)
    assert told(cluster, "second")["outcome"] == "Skipped"
    assert len(tasks.started) == 1


async def test_what_a_deposed_leader_tells_of_a_run_that_counts_as_lost_is_not_counted_besides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = LiveCluster()
    python(cluster, function="long")
    async with Replica(cluster) as first:
        await until(lambda: first.leads and cluster.status().get("watermark"))
        cluster.ask("now", "task")
        await until(lambda: tasks.started)
        await first.kill()
    written, write = asyncio.Event(), Writer.write

    async def late(writer: Writer, key: str) -> int:
        await written.wait()
        return await write(writer, key)

    monkeypatch.setattr(Writer, "write", late)
    async with Replica(cluster) as second:
        await until(lambda: second.leads)
        assert second.process.leader is not None
        books = second.process.leader.store.books
        await until(lambda: any(book.by_hand for book in books.values()))
        ended = {"phase": "Finished", "outcome": "Succeeded", "completionTime": "2026-01-01T00:00:00Z"}
        cluster.edit(TASK_RUNS, "now", lambda body: body["status"].update(ended))
        await asyncio.sleep(0.5)
        written.set()
        await until(lambda: cluster.status()["counters"]["lost"])
    assert cluster.status()["counters"]["succeeded"] == 0
    assert cluster.status()["countedRuns"] == ["now"]


async def test_what_is_asked_for_while_the_lease_is_in_doubt_waits() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads and cluster.status().get("watermark"))
        replica.api.away = True
        await asyncio.sleep(4.0)
        cluster.ask("now", "task")
        replica.api.away = False
        await until(lambda: told(cluster, "now").get("outcome"))
    assert told(cluster, "now")["outcome"] == "Succeeded"


class LateToSayThatOneWaits(LiveApi):
    """Takes its time to write that a run waits for room."""

    async def merge_patch(
        self, resource: Resource, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        if (body.get("status") or {}).get("phase") == "Pending":
            await asyncio.sleep(1.0)
        return await super().merge_patch(resource, namespace, name, body, subresource)


@pytest.mark.parametrize("policy", ["Replace", "Queue"])
async def test_one_that_has_waited_is_not_told_to_wait_once_it_has_started(policy: str) -> None:
    """Else the next leader would start it again."""
    cluster = LiveCluster()
    python(cluster, function="long", concurrencyPolicy=policy)
    replica = Replica(cluster)
    replica.api = LateToSayThatOneWaits(cluster)
    async with replica:
        await until(lambda: replica.leads)
        cluster.ask("first", "task")
        await until(lambda: len(tasks.started) == 1)
        await asyncio.sleep(1.6)  # the first one ends while this is written of the second
        cluster.ask("second", "task")
        await until(lambda: len(tasks.started) == 2)
        await asyncio.sleep(1.2)
        assert told(cluster, "second")["phase"] == "Running"


class HeldApi(LiveApi):
    """Holds back the answer to whoever puts a label on a TaskRun, until somebody says so."""

    def __init__(self, cluster: LiveCluster) -> None:
        super().__init__(cluster)
        self.labelled, self.goes_on = asyncio.Event(), asyncio.Event()

    async def merge_patch(
        self, resource: Resource, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        answer = await super().merge_patch(resource, namespace, name, body, subresource)
        if resource is TASK_RUNS and not subresource and not self.labelled.is_set():
            self.labelled.set()
            await self.goes_on.wait()
        return answer


@pytest.mark.parametrize("dies", [False, True])
async def test_a_request_that_was_taken_over_and_not_started_is_left_to_the_operator_with_its_task(dies: bool) -> None:
    cluster = LiveCluster()
    python(cluster)
    replica = Replica(cluster)
    replica.api = api = HeldApi(cluster)
    async with replica:
        await until(lambda: replica.leads and "decided" in cluster.status())
        cluster.ask("now", "task")
        await api.labelled.wait()
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(mode="CronJob"))
        await until(lambda: cluster.status()["scheduledBy"] == "CronJob")
        if dies:
            await replica.kill()
            cluster.edit(TASK_RUNS, "now", lambda body: body["metadata"]["labels"].update({DAEMON_LABEL: "default"}))
        api.goes_on.set()
        if not dies:
            await until(lambda: DAEMON_LABEL not in cluster.of(TASK_RUNS)["now"]["metadata"]["labels"])
    if dies:
        async with Replica(cluster, "pod-2"):
            await until(lambda: DAEMON_LABEL not in cluster.of(TASK_RUNS)["now"]["metadata"]["labels"])
    assert not told(cluster, "now").get("outcome")
    assert not tasks.started
