"""Records of which only a part was written when the leader ended, as asked or not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveApi, LiveCluster, Replica, until
from timewright.cluster.api import LEASES, SCHEDULED_TASKS, TASK_RUNS, Resource
from timewright.cluster.observe import observe_run
from timewright.daemon import leader, runs_of_others
from timewright.desired.names import DAEMON_LABEL

Manifest = dict[str, Any]


class SlowApi(LiveApi):
    """Takes its time to write how a run ended, and says when it has begun to."""

    def __init__(self, cluster: LiveCluster) -> None:
        super().__init__(cluster)
        self.begun = asyncio.Event()
        self.seconds = 0.5

    async def merge_patch(
        self, resource: Resource, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        if resource is TASK_RUNS and subresource == "status":
            self.begun.set()
            await asyncio.sleep(self.seconds)
        return await super().merge_patch(resource, namespace, name, body, subresource)


def slow(cluster: LiveCluster) -> tuple[Replica, SlowApi]:
    cluster.daemon_task(command=None, python={"call": "tests.unit.daemon.tasks:note"})
    replica = Replica(cluster)
    replica.api = api = SlowApi(cluster)
    return replica, api


async def test_a_write_that_was_begun_is_finished_before_the_lease_is_given_up() -> None:
    cluster = LiveCluster()
    replica, api = slow(cluster)
    async with replica:
        await api.begun.wait()
    assert {run["status"]["outcome"] for run in cluster.runs().values()} == {"Succeeded"}
    assert cluster.status()["counters"]["succeeded"] >= 1


async def test_a_record_that_says_nothing_is_removed_by_the_next_leader() -> None:
    cluster = LiveCluster()
    replica, api = slow(cluster)
    api.seconds = 60
    async with replica:
        await api.begun.wait()
        (name,) = cluster.runs()
        await replica.kill()
    async with Replica(cluster, "pod-1") as second:
        await until(lambda: second.leads)
        await until(lambda: cluster.runs().get(name, {"status": "gone"}).get("status"))
        await until(lambda: cluster.status().get("counters"))
        record = cluster.runs().get(name)
        told = "nothing" if record is None else record["status"]["outcome"]
        assert (told, cluster.status()["counters"]["lost"]) in (("nothing", 0), ("Lost", 1))


async def test_who_stood_still_in_the_middle_of_a_write_goes_on_with_it_only_while_it_leads() -> None:
    cluster = LiveCluster()
    replica, api = slow(cluster)
    api.seconds = 0.1
    async with replica:
        await api.begun.wait()
        assert replica.process.leader is not None
        writer = replica.process.leader.writer
        holds, writer.may_write = writer.may_write, lambda: False
        revision = cluster.status().get("decided")
        await asyncio.sleep(1.5)
        assert cluster.status().get("decided") == revision
        writer.may_write = holds
        await until(lambda: cluster.status().get("decided") != revision)


@pytest.mark.parametrize("leads", [False, True])
async def test_an_outcome_that_was_sent_before_does_not_replace_that_of_the_next_leader(leads: bool) -> None:
    cluster = LiveCluster()
    replica, api = slow(cluster)

    def tell(run: Manifest) -> None:
        run["status"] = {"phase": "Finished", "outcome": "Lost"}

    async with replica:
        await api.begun.wait()
        (name,) = cluster.runs()
        assert replica.process.leader is not None
        replica.process.leader.writer.may_write = lambda: leads
        cluster.edit(TASK_RUNS, name, tell)
        await asyncio.sleep(1.5)
        told = cluster.runs()[name]["status"]["outcome"]
    assert told == ("Succeeded" if leads else "Lost"), "who leads has counted it"


async def test_a_status_that_comes_late_from_a_deposed_leader_is_written_anew() -> None:
    cluster = LiveCluster()
    cluster.daemon_task(schedule="0 0 1 1 *")

    def come_late(task: Manifest) -> None:
        task["status"]["decided"] |= {"revision": 1_000, "suspended": True}

    async with Replica(cluster):
        await until(lambda: cluster.status().get("decided"))
        await asyncio.sleep(0.2)
        cluster.edit(SCHEDULED_TASKS, "task", come_late)
        await until(lambda: cluster.status()["decided"]["revision"] != 1_000, seconds=5)
        revision = cluster.status()["decided"]["revision"]
        await asyncio.sleep(1.5)
    assert not cluster.status()["decided"]["suspended"]
    assert cluster.status()["decided"]["revision"] == revision, "one write is enough"


class SlowLease(LiveApi):
    """Takes its time to give the Lease up."""

    async def replace(self, resource: Resource, body: Manifest) -> Manifest:
        if resource is LEASES and body["spec"]["holderIdentity"] is None:
            await asyncio.sleep(0.6)
        return await super().replace(resource, body)


async def test_what_ends_while_the_lease_is_given_up_is_not_lost() -> None:
    cluster = LiveCluster()
    cluster.daemon_task(command=None, python={"call": "tests.unit.daemon.tasks:take_a_moment"})
    first = Replica(cluster, "pod-1")
    first.api = SlowLease(cluster)
    async with first:
        await until(lambda: tasks.started)
        await asyncio.sleep(0.05)
    # The Lease, as it was written, tells that the last run goes on; so its TaskRun has to tell how it ended.
    told = {run["spec"]["scheduledAt"]: run["status"]["outcome"] for run in cluster.runs().values()}
    last = datetime.fromtimestamp(tasks.started[-1][1], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert told.get(last) == "Succeeded"


async def test_why_a_run_failed_is_told_although_its_leader_ends_before_writing_it() -> None:
    cluster = LiveCluster()
    cluster.daemon_task(command=None, schedule="*/2 * * * * *", python={"call": "tests.unit.daemon.tasks:fail"})
    async with Replica(cluster):
        await until(lambda: tasks.started)
    last = datetime.fromtimestamp(tasks.started[-1][1], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert last in {run["spec"]["scheduledAt"] for run in cluster.runs().values()}


@pytest.mark.parametrize("status", [{}, {"phase": "Running"}])
async def test_a_record_of_which_a_leader_that_ended_as_asked_has_not_told_is_settled_once_it_must_have_ended(
    status: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "_MARGIN_SECONDS", 0.0)
    monkeypatch.setattr(runs_of_others, "PATIENCE_SECONDS", 0.0)
    cluster = LiveCluster()
    cluster.daemon_task(command=None, python={"call": "tests.unit.daemon.tasks:note"})
    async with Replica(cluster, drain_seconds=2.0):
        await until(lambda: "decided" in cluster.status())
    spec = {"taskRef": {"name": "task"}, "trigger": "Schedule", "scheduledAt": "2026-03-01T04:00:00Z"}
    labels = {DAEMON_LABEL: "default"}
    cluster.put(TASK_RUNS, {"metadata": {"name": "left", "labels": labels}, "spec": spec})
    cluster.edit(TASK_RUNS, "left", lambda body: body.update(status=status))
    async with Replica(cluster, "pod-2") as second:
        await until(lambda: second.leads)
        assert "left" in cluster.runs()
        if status:
            await until(lambda: cluster.runs()["left"]["status"].get("outcome") == "Lost", 8)
        else:
            await until(lambda: "left" not in cluster.runs(), 8)


async def test_what_a_leader_that_ends_has_told_on_the_lease_is_not_for_the_operator_to_count() -> None:
    cluster = LiveCluster()
    cluster.daemon_task(command=None, python={"call": "tests.unit.daemon.tasks:fail"}, failedRunsHistoryLimit=50)
    replica = Replica(cluster)
    async with replica:
        await until(lambda: "decided" in cluster.status())
        assert replica.process.leader is not None
        replica.process.leader.writer.may_write = lambda: False
        before = len(tasks.started)
        await until(lambda: len(tasks.started) > before + 1)
        written = set(cluster.runs())
    late = {name: run for name, run in cluster.runs().items() if name not in written}
    assert {run["status"]["outcome"] for run in late.values()} == {"Failed"}
    assert all(observe_run(run).is_counted for run in late.values())
