"""Applications that keep running: one Deployment, its health in the task's status, and gone when it is to go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.controller.cluster import Cluster, Replica
from timewright.cluster.api import CRON_JOBS, DEPLOYMENTS, PODS, SCHEDULED_TASKS, TASK_RUNS, ApiError
from timewright.controller.handover import SETTLE_SECONDS
from timewright.resources.model import format_time

APP = {"app": {"run": ["php", "artisan", "schedule:run"], "work": ["php", "artisan", "schedule:work"]}}
SPEC: dict[str, Any] = {"mode": "Daemon", "image": "shop:1", "schedule": None, "command": None, **APP}
NAME = "backup-work"


def status(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.of(SCHEDULED_TASKS)["backup"]["status"]
    return found


def conditions(cluster: Cluster) -> dict[str, dict[str, Any]]:
    return {each["type"]: each for each in status(cluster)["conditions"]}


def report(cluster: Cluster, ready: int) -> None:
    """Have the Deployment controller tell how many Pods are ready."""

    def change(body: dict[str, Any]) -> None:
        available = {"type": "Available", "status": "True" if ready else "False", "message": "minimum unavailable"}
        generation = body["metadata"]["generation"]
        body["status"] = {"replicas": 1, "readyReplicas": ready, "observedGeneration": generation}
        body["status"]["conditions"] = [available]

    cluster.edit(DEPLOYMENTS, NAME, change)


def pod(cluster: Cluster, name: str = "backup-work-1", **state: Any) -> None:
    labels = dict(cluster.of(DEPLOYMENTS)[NAME]["spec"]["template"]["metadata"]["labels"])
    waiting = {"name": "task", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    cluster.put(
        PODS, {"metadata": {"name": name, "labels": labels}, "status": {"containerStatuses": [waiting], **state}}
    )


async def running(cluster: Cluster, **spec: Any) -> Replica:
    cluster.task(**{**SPEC, **spec})
    replica = Replica(cluster)
    await replica.settle()
    return replica


async def pass_time(cluster: Cluster, replica: Replica, seconds: float) -> None:
    for _ in range(round(seconds)):
        cluster.now += timedelta(seconds=1)
        await replica.settle()


async def test_it_becomes_a_deployment_and_no_cron_job() -> None:
    cluster = Cluster()
    await running(cluster)

    (container,) = cluster.of(DEPLOYMENTS)[NAME]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == APP["app"]["work"]
    assert not cluster.of(CRON_JOBS)
    assert {name: each["status"] for name, each in conditions(cluster).items()} == {
        "Accepted": "True",
        "Ready": "True",
        "Healthy": "Unknown",
    }


async def test_its_health_is_in_the_status() -> None:
    cluster = Cluster()
    replica = await running(cluster)
    report(cluster, ready=1)
    await replica.settle()

    assert conditions(cluster)["Healthy"]["reason"] == "Working"
    assert status(cluster)["deployment"] == {"name": NAME, "ready": True}
    assert await replica.reconcile() == []
    assert await Replica(cluster).reconcile() == ["get deployments"]


async def test_what_keeps_it_from_working_is_told() -> None:
    cluster = Cluster()
    replica = await running(cluster)
    report(cluster, ready=0)
    pod(cluster)
    await replica.reconcile()

    healthy = conditions(cluster)["Healthy"]
    assert (healthy["status"], healthy["reason"]) == ("False", "NotWorking")
    assert "ImagePullBackOff" in healthy["message"]


async def test_an_edit_rolls_and_a_suspension_stops_it() -> None:
    cluster = Cluster()
    replica = await running(cluster)

    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(image="shop:2"))
    await replica.settle()
    made = cluster.of(DEPLOYMENTS)[NAME]["spec"]
    assert (made["replicas"], made["template"]["spec"]["containers"][0]["image"]) == (1, "shop:2")
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(suspend=True))
    await replica.settle()
    assert cluster.of(DEPLOYMENTS)[NAME]["spec"]["replicas"] == 0
    assert conditions(cluster)["Healthy"]["reason"] == "Suspended"


async def test_an_edit_that_is_refused_leaves_it_running() -> None:
    cluster = Cluster()
    replica = await running(cluster)
    before = cluster.of(DEPLOYMENTS)[NAME]["spec"]

    def refuse(request: str) -> None:
        if request == "apply deployments":
            raise ApiError(422, "", "nodeSelectr: unknown field")

    cluster.before = refuse
    template = {"spec": {"nodeSelectr": {}}}
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(podTemplate=template))
    await replica.reconcile()
    await replica.reconcile()

    assert cluster.of(DEPLOYMENTS)[NAME]["spec"] == before
    assert conditions(cluster)["Accepted"]["reason"] == "InvalidTemplate"
    assert await replica.reconcile() == []


async def test_a_run_by_hand_is_told_why_not() -> None:
    cluster = Cluster()
    replica = await running(cluster)
    cluster.ask()
    await replica.settle()

    ended = cluster.of(TASK_RUNS)["now"]["status"]
    assert ended["outcome"] == "Failed"
    assert "keeps running" in ended["message"]


async def test_from_a_cron_job_it_starts_once_that_is_at_rest() -> None:
    cluster = Cluster()
    replica = await running(cluster, mode="CronJob")
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(mode="Daemon"))
    await replica.settle()
    assert not cluster.of(DEPLOYMENTS)
    await pass_time(cluster, replica, SETTLE_SECONDS + 2)

    assert cluster.of(DEPLOYMENTS)
    assert cluster.of(CRON_JOBS)["backup"]["spec"]["suspend"] is True


async def test_back_to_a_cron_job_waits_for_its_pod_to_end() -> None:
    cluster = Cluster()
    replica = await running(cluster)
    pod(cluster)
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(mode="CronJob"))
    for _ in range(3):
        cluster.now += timedelta(seconds=1)
        await replica.reconcile()
    assert not cluster.of(DEPLOYMENTS)
    assert not cluster.of(CRON_JOBS)

    cluster.remove(PODS, "backup-work-1")
    await pass_time(cluster, replica, 2)
    made = cluster.of(CRON_JOBS)["backup"]
    assert made["spec"]["suspend"] is False
    assert made["status"]["lastScheduleTime"] <= format_time(cluster.now)
    assert "deployment" not in status(cluster)


async def test_a_task_that_is_no_application_any_more_goes_to_the_daemon() -> None:
    cluster = Cluster()
    replica = await running(cluster)

    def to_command(body: dict[str, Any]) -> None:
        body["spec"].pop("app")
        body["spec"] |= {"command": ["true"], "schedule": "* * * * *"}

    cluster.edit(SCHEDULED_TASKS, "backup", to_command)
    await pass_time(cluster, replica, 4)

    assert not cluster.of(DEPLOYMENTS)
    assert (status(cluster)["scheduledBy"], status(cluster)["daemon"]) == ("Daemon", "default")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_that_has_ended_is_not_waited_for(phase: str) -> None:
    cluster = Cluster()
    replica = await running(cluster)
    pod(cluster, phase=phase)
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(mode="CronJob"))
    await pass_time(cluster, replica, 3)

    assert cluster.of(CRON_JOBS)
