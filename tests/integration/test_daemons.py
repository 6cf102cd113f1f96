"""TaskDaemons, handovers and applications on a real control plane, with the privileges that the chart gives.

No Pod runs here, so the tests write what a daemon would write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, eventually, job_template, task
from timewright.resources.model import format_time, parse_time

pytestmark = pytest.mark.cluster

NAME = "timewright-daemon-default"
KINDS = ("serviceaccount", "role", "rolebinding", "poddisruptionbudget", "deployment")


@pytest.fixture
def lone_operator(
    control_plane: Cluster, operator_kubeconfig: Path, namespace: Namespace, tmp_path: Path
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(
        control_plane, operator_kubeconfig, tmp_path / "operator.log", TIMEWRIGHT_NAMESPACES=namespace.name
    )
    yield process.lead()
    process.stop()
    assert "Traceback" not in process.log(), process.log()


def tell(namespace: Namespace, name: str, **status: Any) -> None:
    """Write a task's status as its daemon does."""
    body = json.dumps({"status": status})
    namespace.kubectl("patch", "scheduledtask", name, "--subresource=status", "--type=merge", "-p", body)


def change(namespace: Namespace, name: str, **spec: Any) -> None:
    namespace.kubectl("patch", "scheduledtask", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def status(namespace: Namespace, name: str) -> dict[str, Any]:
    found: dict[str, Any] = namespace.get("scheduledtask", name).get("status") or {}
    return found


def exists(namespace: Namespace, kind: str, name: str) -> bool:
    return namespace.kubectl("get", kind, name, "--ignore-not-found", "-o", "name").stdout.strip() != ""


def may(namespace: Namespace, verb: str, resource: str, *options: str) -> bool:
    """Tell whether the daemon's own account may do something."""
    account = f"system:serviceaccount:{namespace.name}:{NAME}"
    done = namespace.kubectl("auth", "can-i", verb, resource, *options, f"--as={account}", check=False)
    return done.stdout.strip() == "yes"


def test_the_first_daemon_task_brings_its_daemon_and_a_restart_writes_nothing(
    namespace: Namespace, lone_operator: OperatorProcess
) -> None:
    header = {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}
    request = {"url": "https://shop.example", "headers": [header]}
    namespace.apply(task("ping", mode="Daemon", schedule="*/5 * * * * *", command=None, http=request))
    eventually(lambda: exists(namespace, "deployment", NAME))

    objects = {kind: namespace.get(kind, NAME) for kind in KINDS}
    owner = namespace.get("taskdaemon", "default")["metadata"]["uid"]
    for kind, body in objects.items():
        assert body["metadata"]["ownerReferences"][0]["uid"] == owner, kind
    # It has no Pod here, so the operator speaks for it.
    eventually(lambda: {each["reason"] for each in status(namespace, "ping")["conditions"]} >= {"DaemonNotReady"})
    eventually(lambda: may(namespace, "patch", "scheduledtasks.timewright.dev", "--subresource=status"))
    assert may(namespace, "update", f"leases/{NAME}")
    assert not may(namespace, "update", "leases/other")
    assert not may(namespace, "get", "secrets")

    lone_operator.settle()
    versions = {kind: namespace.get(kind, NAME)["metadata"]["resourceVersion"] for kind in KINDS}
    lone_operator.stop()
    lone_operator.lead()
    eventually(lambda: lone_operator.reconciliations() >= 2)
    lone_operator.settle()
    assert lone_operator.writes() == 0, lone_operator.requests("POST", "PUT", "PATCH", "DELETE")
    assert {kind: namespace.get(kind, NAME)["metadata"]["resourceVersion"] for kind in KINDS} == versions


def test_an_edit_of_a_daemon_rolls_its_deployment_and_a_removed_field_goes(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    daemon = {"apiVersion": "timewright.dev/v1alpha1", "kind": "TaskDaemon", "metadata": {"name": "night"}}
    odd = {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}
    template = {"spec": {"nodeSelector": {"disk": "ssd"}}}
    namespace.apply({**daemon, "spec": {"replicas": 2, "image": "shop:1", "resources": odd, "podTemplate": template}})
    name = "timewright-daemon-night"

    def pod() -> dict[str, Any]:
        found: dict[str, Any] = namespace.get("deployment", name)["spec"]["template"]["spec"]
        return found

    eventually(lambda: exists(namespace, "deployment", name))
    assert pod()["nodeSelector"] == {"disk": "ssd"}
    namespace.apply({**daemon, "spec": {"replicas": 2, "image": "shop:2"}})
    eventually(lambda: pod()["containers"][0]["image"] == "shop:2")
    assert "nodeSelector" not in pod()
    assert "limits" not in pod()["containers"][0]["resources"]


def test_a_daemon_whose_template_is_wrong_is_told_so(namespace: Namespace, operator: OperatorProcess) -> None:
    daemon = {"apiVersion": "timewright.dev/v1alpha1", "kind": "TaskDaemon", "metadata": {"name": "night"}}
    namespace.apply({**daemon, "spec": {"podTemplate": {"spec": {"nodeSelectr": {}}}}})

    def told() -> str:
        conditions = (namespace.get("taskdaemon", "night").get("status") or {}).get("conditions") or [{}]
        return str(conditions[0].get("message"))

    eventually(lambda: "nodeSelectr" in told())


@pytest.mark.parametrize("name", ["Night", "a" * 46])
def test_a_name_that_cannot_be_a_label_is_refused(namespace: Namespace, name: str) -> None:
    body = {"apiVersion": "timewright.dev/v1alpha1", "kind": "TaskDaemon", "metadata": {"name": name}, "spec": {}}
    done = namespace.kubectl("apply", "-f", "-", stdin=json.dumps(body), check=False)

    assert done.returncode != 0


@pytest.mark.parametrize("what", [{}, {"command": None, "jobTemplate": job_template()}], ids=["command", "jobTemplate"])
def test_ticks_go_to_a_daemon_and_back(namespace: Namespace, operator: OperatorProcess, what: dict[str, Any]) -> None:
    namespace.apply(task("backup", **what))
    namespace.wait_ready("backup")
    change(namespace, "backup", mode="Daemon")
    eventually(lambda: status(namespace, "backup").get("scheduledBy") == "Daemon")
    told = status(namespace, "backup")
    assert told["daemon"] == "default"
    assert told["watermark"] == namespace.get("cronjob", "backup")["metadata"]["creationTimestamp"]
    assert namespace.get("cronjob", "backup")["spec"]["suspend"] is True

    change(namespace, "backup", mode="CronJob")
    tell(namespace, "backup", scheduledBy="CronJob", daemon=None, watermark="2026-03-01T12:00:00Z")
    eventually(lambda: namespace.get("cronjob", "backup")["spec"]["suspend"] is False)
    found = namespace.get("cronjob", "backup")
    assert "timewright.dev/handed-over" not in found["metadata"]["annotations"]
    assert found["status"]["lastScheduleTime"] == "2026-03-01T12:00:00Z"
    eventually(lambda: "watermark" not in status(namespace, "backup"))
    # A field that the task no longer says goes, though an earlier write set it in another way.
    change(namespace, "backup", startingDeadlineSeconds=100)
    eventually(lambda: namespace.get("cronjob", "backup")["spec"].get("startingDeadlineSeconds") == 100)
    change(namespace, "backup", startingDeadlineSeconds=None)
    eventually(lambda: "startingDeadlineSeconds" not in namespace.get("cronjob", "backup")["spec"])


def test_the_native_controller_goes_on_from_where_the_daemon_was(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    def ticks() -> list[datetime]:
        found = (each["metadata"]["annotations"] for each in namespace.list("jobs"))
        return sorted(parse_time(each["batch.kubernetes.io/cronjob-scheduled-timestamp"]) for each in found)

    namespace.apply(task("backup", schedule="* * * * *", timeZone="UTC", jobTemplate=job_template()))
    eventually(ticks)
    change(namespace, "backup", mode="Daemon")
    eventually(lambda: status(namespace, "backup").get("scheduledBy") == "Daemon")
    native = ticks()
    assert parse_time(status(namespace, "backup")["watermark"]) == native[-1]

    # The daemon decides the next tick, and gives the task back after that.
    decided = native[-1] + timedelta(minutes=1)
    eventually(lambda: datetime.now(UTC) > decided + timedelta(seconds=5))
    assert ticks() == native
    change(namespace, "backup", mode="CronJob")
    tell(namespace, "backup", scheduledBy="CronJob", daemon=None, watermark=format_time(decided))
    eventually(lambda: ticks()[-1] > native[-1])
    assert ticks() == [*native, decided + timedelta(minutes=1)]


def test_an_application_becomes_a_deployment_and_a_cron_job_again(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    app = {"run": ["php", "artisan", "schedule:run"], "work": ["php", "artisan", "schedule:work"]}
    manifest = task("laravel", command=None, schedule=None, image="shop:1", app=app, mode="Daemon")
    namespace.apply(manifest)
    eventually(lambda: exists(namespace, "deployment", "laravel-work"))
    found = namespace.get("deployment", "laravel-work")["spec"]
    assert (found["replicas"], found["strategy"]["type"]) == (1, "Recreate")
    change(namespace, "laravel", suspend=True)
    eventually(lambda: namespace.get("deployment", "laravel-work")["spec"]["replicas"] == 0)

    change(namespace, "laravel", mode="CronJob", suspend=False)
    eventually(lambda: exists(namespace, "cronjob", "laravel"))
    eventually(lambda: namespace.get("cronjob", "laravel")["spec"]["suspend"] is False)
    assert not exists(namespace, "deployment", "laravel-work")
    assert "deployment" not in status(namespace, "laravel")
