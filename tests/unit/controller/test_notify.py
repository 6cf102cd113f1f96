"""What the operator tells of runs of mode CronJob, and what it says of each task to Prometheus."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.controller.cluster import NOON, Cluster, Replica
from tests.unit.notices.endpoint import Endpoint
from timewright.cluster.api import SCHEDULED_TASKS, TASK_DAEMONS, TASK_RUNS
from timewright.controller.daemons import concern_of
from timewright.controller.figures import daemon_figures, task_figures
from timewright.notices.courier import Courier
from timewright.notices.telling import Telling


class TellingReplica(Replica):
    """One whose notices are sent, to loopback alone unless told otherwise."""

    def __init__(self, cluster: Cluster, hosts: tuple[str, ...] = ("127.0.0.1",)) -> None:
        super().__init__(cluster)
        self.results: Counter[str] = Counter()
        self.courier = Courier(lambda _, result: self.results.update([result]), allowed_hosts=hosts, waits=())
        settings = replace(self.operator.configuration, notify_hosts=hosts)
        self.operator = replace(self.operator, telling=Telling(self.courier, {}), configuration=settings)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as served:
        yield served


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def until(ask: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not ask():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def events(endpoint: Endpoint) -> list[str]:
    return [each.body["event"] for each in endpoint.asked]


async def settle(replica: TellingReplica) -> None:
    for _ in range(4):
        await replica.reconcile()
    await until(lambda: not replica.courier.waiting)


async def run(cluster: Cluster, replica: TellingReplica, minutes: int, *, succeeded: bool) -> None:
    """Have a tick's Job start and end, one minute later."""
    cluster.now = NOON + timedelta(minutes=minutes)
    job = cluster.tick(minutes)
    await settle(replica)
    cluster.now += timedelta(seconds=30)
    cluster.finish(job, succeeded=succeeded)
    await settle(replica)


async def test_runs_are_told_of_once_also_by_another_operator(cluster: Cluster, endpoint: Endpoint) -> None:
    rule = {"webhook": {"url": endpoint.url}, "minIntervalSeconds": 0}
    cluster.task(schedule="* * * * *", notify=[rule])
    first = TellingReplica(cluster)
    await settle(first)
    await run(cluster, first, 1, succeeded=False)
    second = TellingReplica(cluster)
    await settle(second)
    await run(cluster, second, 2, succeeded=False)
    await run(cluster, second, 3, succeeded=True)
    await run(cluster, second, 4, succeeded=True)

    assert events(endpoint) == ["Failed", "Failed", "Recovered"]
    assert [each.body["failures"] for each in endpoint.asked] == [1, 2, 2]
    assert endpoint.asked[0].body["reason"] == "BackoffLimitExceeded"
    for each in (first, second):
        await each.courier.close()


async def test_a_run_is_told_of_when_it_starts_and_when_it_takes_long(cluster: Cluster, endpoint: Endpoint) -> None:
    cluster.task(
        schedule="* * * * *",
        notify=[
            {"webhook": {"url": endpoint.url}, "events": ["Started", "LongRunning"], "longRunningSeconds": 600},
            {"ping": {"url": endpoint.url}, "events": ["Started", "Succeeded"]},
        ],
    )
    replica = TellingReplica(cluster)
    await settle(replica)
    cluster.now = NOON + timedelta(minutes=1)
    job = cluster.tick(1)
    await settle(replica)
    assert sorted(each.path for each in endpoint.asked) == ["/hook", "/hook/start"]

    cluster.now += timedelta(seconds=599)
    await settle(replica)
    assert len(endpoint.asked) == 2
    cluster.now += timedelta(seconds=2)
    await settle(replica)
    await settle(replica)
    assert endpoint.asked[2].body["event"] == "LongRunning"
    cluster.finish(job)
    await settle(replica)
    assert [each.path for each in endpoint.asked[3:]] == ["/hook"]
    assert not replica.operator.told_long
    await replica.courier.close()


async def test_a_host_that_is_not_allowed_is_not_asked_and_the_task_says_so(
    cluster: Cluster, endpoint: Endpoint
) -> None:
    cluster.task(schedule="* * * * *", notify=[{"webhook": {"url": endpoint.url}}])
    replica = TellingReplica(cluster, hosts=())
    await settle(replica)
    await run(cluster, replica, 1, succeeded=False)
    assert replica.results == {"refused": 1}
    assert not endpoint.asked
    (warning,) = cluster.of(SCHEDULED_TASKS)["backup"]["status"]["warnings"]
    assert "may not send to '127.0.0.1'" in warning

    allowed = TellingReplica(cluster)
    await settle(allowed)
    assert not cluster.of(SCHEDULED_TASKS)["backup"]["status"].get("warnings")
    for each in (replica, allowed):
        await each.courier.close()


async def test_the_figures_of_a_task(cluster: Cluster) -> None:
    cluster.task(schedule="*/10 * * * *")
    replica = TellingReplica(cluster)
    await settle(replica)
    (fresh,) = task_figures(replica.operator)
    assert (fresh.task, fresh.last_success, fresh.failing_streak) == ("backup", None, 0)
    assert fresh.success_deadline == (NOON + timedelta(minutes=20)).timestamp()

    await run(cluster, replica, 10, succeeded=False)
    await run(cluster, replica, 20, succeeded=False)
    (failing,) = task_figures(replica.operator)
    assert (failing.failing_streak, failing.success_deadline) == (2, fresh.success_deadline)

    await run(cluster, replica, 30, succeeded=True)
    (well,) = task_figures(replica.operator)
    assert well.failing_streak == 0
    assert well.success_deadline == (NOON + timedelta(minutes=50)).timestamp()

    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(suspend=True))
    await settle(replica)
    assert next(task_figures(replica.operator)).success_deadline is None


async def test_an_edit_begins_the_wait_anew(cluster: Cluster) -> None:
    cluster.task(schedule="0 3 * * *")
    edited = "2026-03-05T00:00:00Z"
    fields = [
        {"manager": "kubectl", "operation": "Update", "time": edited},
        {"manager": "timewright", "subresource": "status", "time": "2026-03-09T00:00:00Z"},
    ]
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["metadata"].update(managedFields=fields))
    replica = TellingReplica(cluster)
    await settle(replica)
    (figures,) = task_figures(replica.operator)
    assert figures.success_deadline == (NOON + timedelta(days=3, hours=16)).timestamp()


async def test_daemons_that_are_not_ready_are_told(cluster: Cluster) -> None:
    for name, replicas, ready in (("up", 1, 1), ("down", 1, 0), ("stopped", 0, 0)):
        body: dict[str, Any] = {"metadata": {"name": name}, "spec": {"replicas": replicas}}
        cluster.put(TASK_DAEMONS, {**body, "status": {"readyReplicas": ready}})
    replica = TellingReplica(cluster)
    await replica.hear()
    assert sorted(daemon_figures(replica.operator)) == [("shop", "down", False), ("shop", "up", True)]


def test_secrets_of_notices_reach_the_daemon() -> None:
    secret = {"secretKeyRef": {"name": "hooks", "key": "url"}}
    header = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "hooks", "key": "token"}}}
    rules = [{"slack": {"urlFrom": secret}}, {"webhook": {"url": "http://a", "headers": [header]}}]
    concern = concern_of({"spec": {"mode": "Daemon", "command": ["true"], "notify": rules}})
    assert concern.secrets == {("hooks", "url"), ("hooks", "token")}


async def test_nothing_is_told_where_nobody_is_named(cluster: Cluster) -> None:
    cluster.task(schedule="* * * * *")
    replica = TellingReplica(cluster)
    await settle(replica)
    await run(cluster, replica, 1, succeeded=False)
    assert not replica.results
    assert len(cluster.of(TASK_RUNS)) == 1
