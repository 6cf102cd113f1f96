"""TaskDaemons: made of what they need, with no needless request, and there for as long as a task needs them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.controller.cluster import NAMESPACE, Cluster, Replica
from timewright.cluster.api import (
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    ROLE_BINDINGS,
    ROLES,
    SCHEDULED_TASKS,
    SERVICE_ACCOUNTS,
    TASK_DAEMONS,
    TASK_RUNS,
    ApiError,
    Resource,
)
from timewright.controller.daemons import DaemonKey
from timewright.controller.ensure import LOOK_AGAIN
from timewright.controller.reconcile_daemon import IDLE, reconcile_daemon
from timewright.desired.names import DAEMON_LABEL

NAME = "timewright-daemon-default"
OBJECTS = (SERVICE_ACCOUNTS, ROLES, ROLE_BINDINGS, DISRUPTION_BUDGETS, DEPLOYMENTS)
WRITES = ("create", "apply", "patch", "delete")


def daemon_task(cluster: Cluster, name: str = "backup", **spec: Any) -> None:
    cluster.task(name, mode="Daemon", **spec)


def ready(cluster: Cluster, count: int = 1) -> None:
    def change(body: dict[str, Any]) -> None:
        available = {"type": "Available", "status": "True" if count else "False"}
        generation = body["metadata"]["generation"]
        body["status"] = {
            "replicas": 1,
            "readyReplicas": count,
            "observedGeneration": generation,
            "conditions": [available],
        }

    cluster.edit(DEPLOYMENTS, NAME, change)


async def settle(replica: Replica, rounds: int = 6) -> None:
    for _ in range(rounds):
        if not await replica.reconcile_daemon():
            return
    raise AssertionError(f"does not come to rest: {replica.cluster.requests}")


def condition(cluster: Cluster) -> dict[str, Any]:
    (found,) = cluster.of(TASK_DAEMONS)["default"]["status"]["conditions"]
    return dict(found)


async def with_default(cluster: Cluster, **spec: Any) -> Replica:
    daemon_task(cluster, **spec)
    replica = Replica(cluster)
    await settle(replica)
    return replica


async def test_the_first_task_of_a_namespace_brings_the_default_daemon_with_all_it_needs() -> None:
    cluster = Cluster()
    await with_default(cluster)

    made = cluster.of(TASK_DAEMONS)["default"]
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "timewright"
    for resource in OBJECTS:
        (owner,) = cluster.of(resource)[NAME]["metadata"]["ownerReferences"]
        assert owner["uid"] == made["metadata"]["uid"], resource


async def test_a_daemon_that_was_just_made_is_looked_at_again_though_no_news_of_it_comes() -> None:
    cluster = Cluster()
    daemon_task(cluster)
    replica = Replica(cluster)
    await replica.hear()

    assert await reconcile_daemon(replica.operator, DaemonKey(NAMESPACE, "default")) == 0.0


async def test_what_its_pods_need_is_made_before_them() -> None:
    cluster = Cluster()
    await with_default(cluster)

    made = [key[0] for key in cluster.objects if key[0] in {each.plural for each in OBJECTS}]
    assert made[-1] == "deployments"


@pytest.mark.parametrize(
    "spec",
    [{}, {"mode": "Daemon", "daemon": "night"}, {"mode": "Daemon", "image": "a", "app": {"run": ["a"], "work": ["a"]}}],
)
async def test_a_task_that_needs_no_default_daemon_brings_none(spec: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.task(**({"command": None, "schedule": None} if "app" in spec else {}), **spec)

    assert await Replica(cluster).reconcile_daemon() == []


async def test_an_unchanged_daemon_costs_no_request_and_after_a_restart_no_write() -> None:
    cluster = Cluster()
    replica = await with_default(cluster)
    ready(cluster)
    await settle(replica)

    assert await replica.reconcile_daemon() == []
    restarted = await Replica(cluster).reconcile_daemon()
    assert restarted == [f"get {each.plural}" for each in OBJECTS]


DRIFT: list[tuple[Resource, Callable[[dict[str, Any]], None]]] = [
    (ROLES, lambda body: body.update(rules=[])),
    (ROLE_BINDINGS, lambda body: body.update(subjects=[])),
    (DISRUPTION_BUDGETS, lambda body: body["spec"].update(maxUnavailable=0)),
    (DEPLOYMENTS, lambda body: body["spec"].update(replicas=5)),
    (DEPLOYMENTS, lambda body: body["spec"]["template"]["spec"].update(serviceAccountName="other")),
    (SERVICE_ACCOUNTS, lambda body: body["metadata"].update(labels={})),
]


@pytest.mark.parametrize(("resource", "change"), DRIFT, ids=[f"{each.plural}" for each, _ in DRIFT])
async def test_drift_is_put_right(resource: Resource, change: Callable[[dict[str, Any]], None]) -> None:
    cluster = Cluster()
    replica = await with_default(cluster)
    wanted = copy.deepcopy({key: value for key, value in cluster.of(resource)[NAME].items() if key != "metadata"})

    cluster.edit(resource, NAME, change)
    cluster.now += LOOK_AGAIN
    await settle(replica)

    assert {key: value for key, value in cluster.of(resource)[NAME].items() if key != "metadata"} == wanted


async def test_drift_of_the_deployment_is_put_right_at_once() -> None:
    cluster = Cluster()
    replica = await with_default(cluster)
    await settle(replica)

    cluster.edit(DEPLOYMENTS, NAME, lambda body: body["spec"].update(replicas=5))
    await settle(replica)

    assert cluster.of(DEPLOYMENTS)[NAME]["spec"]["replicas"] == 1


async def test_an_edit_reaches_the_deployment_and_the_rest_is_left() -> None:
    cluster = Cluster()
    replica = await with_default(cluster)

    cluster.edit(TASK_DAEMONS, "default", lambda body: body["spec"].update(replicas=2, image="shop:2"))
    writes = [each for each in await replica.reconcile_daemon() if each.split()[0] in WRITES]

    assert writes == ["apply deployments", "apply taskdaemons"]
    spec = cluster.of(DEPLOYMENTS)[NAME]["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (2, "shop:2")


async def test_what_is_no_longer_said_goes() -> None:
    cluster = Cluster()
    replica = await with_default(cluster)
    template = {"spec": {"priorityClassName": "high"}}
    cluster.edit(TASK_DAEMONS, "default", lambda body: body["spec"].update(podTemplate=template))
    await settle(replica)
    cluster.edit(TASK_DAEMONS, "default", lambda body: body["spec"].pop("podTemplate"))
    await settle(replica)

    assert "priorityClassName" not in cluster.of(DEPLOYMENTS)[NAME]["spec"]["template"]["spec"]


async def test_secrets_of_tasks_reach_the_process_and_go_with_the_last_that_names_them() -> None:
    cluster = Cluster()
    header = {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}
    request = {"url": "https://shop.example", "headers": [header]}
    replica = await with_default(cluster)

    def references() -> list[str]:
        env = cluster.of(DEPLOYMENTS)[NAME]["spec"]["template"]["spec"]["containers"][0]["env"]
        return [
            each["valueFrom"]["secretKeyRef"]["name"] for each in env if "secretKeyRef" in each.get("valueFrom", {})
        ]

    daemon_task(cluster, "a", command=None, http=request)
    daemon_task(cluster, "b", command=None, http=request)
    await settle(replica)
    assert references() == ["shop"]
    cluster.remove(SCHEDULED_TASKS, "a")
    assert [each for each in await replica.reconcile_daemon() if each.split()[0] in WRITES] == []
    cluster.remove(SCHEDULED_TASKS, "b")
    await settle(replica)
    assert references() == []


# Its status


async def test_the_status_tells_of_the_pods_and_leaves_the_daemons_part_alone() -> None:
    cluster = Cluster()
    replica = await with_default(cluster)
    assert condition(cluster)["status"] == "False"
    lagging = {"type": "Lagging", "status": "False", "reason": "OnTime", "lastTransitionTime": "2026-03-01T12:00:00Z"}

    def by_daemon(body: dict[str, Any]) -> None:
        body["status"] |= {"leader": "a", "tasks": 3, "conditions": [*body["status"]["conditions"], lagging]}

    cluster.edit(TASK_DAEMONS, "default", by_daemon)
    ready(cluster)
    await settle(replica)

    told = cluster.of(TASK_DAEMONS)["default"]["status"]
    assert (told["leader"], told["tasks"], told["readyReplicas"]) == ("a", 3, 1)
    assert {each["type"]: each["status"] for each in told["conditions"]} == {"Ready": "True", "Lagging": "False"}


async def test_a_deployment_of_somebody_elses_is_left_alone_and_told() -> None:
    cluster = Cluster()
    cluster.put(DEPLOYMENTS, {"metadata": {"name": NAME}, "spec": {"replicas": 1}})
    daemon_task(cluster)
    replica = Replica(cluster)
    for _ in range(3):
        last = await replica.reconcile_daemon()

    assert last == ["get deployments"]
    assert cluster.of(DEPLOYMENTS)[NAME]["spec"] == {"replicas": 1}
    assert condition(cluster)["reason"] == "NameTaken"
    assert NAME in condition(cluster)["message"]


@pytest.mark.parametrize(("code", "reason"), [(422, "InvalidTemplate"), (403, "Forbidden")])
async def test_what_the_api_server_refuses_is_told(code: int, reason: str) -> None:
    cluster = Cluster()

    def refuse(request: str) -> None:
        if request == "create deployments":
            raise ApiError(code, "", "spec.template.spec.nodeSelectr: unknown field")

    cluster.before = refuse
    daemon_task(cluster)
    replica = Replica(cluster)
    await replica.reconcile_daemon()
    await replica.reconcile_daemon()

    assert condition(cluster)["reason"] == reason
    assert "nodeSelectr" in condition(cluster)["message"]


async def test_a_passing_failure_is_raised_for_the_queue_to_try_again() -> None:
    cluster = Cluster()

    def fail(request: str) -> None:
        if request == "create roles":
            raise ApiError(500, "", "etcd is away")

    cluster.before = fail
    daemon_task(cluster)
    replica = Replica(cluster)
    await replica.reconcile_daemon()
    with pytest.raises(ApiError):
        await replica.reconcile_daemon()
    cluster.before = lambda request: None
    await settle(replica)

    assert cluster.of(DEPLOYMENTS)


# Its end


async def test_the_default_daemon_goes_a_while_after_the_last_task() -> None:
    cluster = Cluster()
    replica = await with_default(cluster)
    cluster.remove(SCHEDULED_TASKS, "backup")

    await settle(replica)
    assert cluster.of(TASK_DAEMONS)
    cluster.now += IDLE + timedelta(seconds=1)
    await replica.reconcile_daemon()
    assert not cluster.of(TASK_DAEMONS)
    assert await replica.reconcile_daemon() == []


async def test_it_stays_when_a_task_comes_back_in_time() -> None:
    cluster = Cluster()
    replica = await with_default(cluster)
    cluster.remove(SCHEDULED_TASKS, "backup")
    await settle(replica)
    daemon_task(cluster)
    await settle(replica)
    cluster.now += IDLE
    cluster.remove(SCHEDULED_TASKS, "backup")
    await settle(replica)

    assert cluster.of(TASK_DAEMONS)


async def test_it_stays_for_a_task_that_it_has_yet_to_give_back_and_a_run_that_it_has_yet_to_settle() -> None:
    cluster = Cluster()
    replica = await with_default(cluster)

    def to_cron_job(body: dict[str, Any]) -> None:
        body["spec"]["mode"] = "CronJob"
        body["status"] = {"scheduledBy": "Daemon", "daemon": "default"}

    cluster.edit(SCHEDULED_TASKS, "backup", to_cron_job)
    metadata = {"name": "backup-1", "labels": {DAEMON_LABEL: "default"}}
    cluster.put(TASK_RUNS, {"metadata": metadata, "spec": {"taskRef": {"name": "backup"}}})
    for _ in range(3):
        cluster.now += IDLE
        await settle(replica)
    assert cluster.of(TASK_DAEMONS)

    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body.update(status={"scheduledBy": "CronJob"}))
    for _ in range(3):
        cluster.now += IDLE
        await settle(replica)
    assert cluster.of(TASK_DAEMONS)

    cluster.edit(TASK_RUNS, "backup-1", lambda body: body.update(status={"outcome": "Succeeded"}))
    await settle(replica)
    cluster.now += IDLE
    await replica.reconcile_daemon()
    assert not cluster.of(TASK_DAEMONS)


async def test_a_default_daemon_that_a_user_made_is_the_users() -> None:
    cluster = Cluster()
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {"replicas": 2}})
    replica = Replica(cluster)
    for _ in range(3):
        cluster.now += IDLE
        await settle(replica)

    assert cluster.of(TASK_DAEMONS)["default"]["spec"] == {"replicas": 2}
    assert cluster.of(DEPLOYMENTS)[NAME]["spec"]["replicas"] == 2
