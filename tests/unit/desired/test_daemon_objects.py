"""What a TaskDaemon becomes: who may do what, in which Pod."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.desired.fixtures import RUNNER
from timewright.desired.daemon_deployment import build_daemon_deployment
from timewright.desired.daemon_disruption_budget import build_daemon_disruption_budget
from timewright.desired.daemon_object import DaemonIdentity
from timewright.desired.daemon_role import build_daemon_role, build_daemon_role_binding
from timewright.desired.daemon_service_account import build_daemon_service_account
from timewright.desired.runner_image import RunnerImage
from timewright.resources.definition import secret_variable
from timewright.resources.kinds import SecretKeyReference
from timewright.resources.task_daemon import TaskDaemonSpec

DAEMON = DaemonIdentity("shop", "default", "uid-1")
OWN = RunnerImage("daemon:1.0")


def spec(**fields: Any) -> TaskDaemonSpec:
    return TaskDaemonSpec.model_validate(fields)


def deployment(*secrets: tuple[str, str], **fields: Any) -> dict[str, Any]:
    references = [SecretKeyReference(name=name, key=key) for name, key in secrets]
    return build_daemon_deployment(DAEMON, spec(**fields), references, own=OWN, runner=RUNNER)


def pod(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = deployment(**fields)["spec"]["template"]["spec"]
    return found


def container(*secrets: tuple[str, str], **fields: Any) -> dict[str, Any]:
    (found,) = deployment(*secrets, **fields)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(*secrets: tuple[str, str], **fields: Any) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container(*secrets, **fields)["env"]}


EVERYTHING = [
    deployment(),
    build_daemon_role(DAEMON),
    build_daemon_role_binding(DAEMON, spec()),
    build_daemon_service_account(DAEMON, spec()) or {},
    build_daemon_disruption_budget(DAEMON),
]


@pytest.mark.parametrize("manifest", EVERYTHING, ids=[each["kind"] for each in EVERYTHING])
def test_every_object_belongs_to_the_daemon(manifest: dict[str, Any]) -> None:
    metadata = manifest["metadata"]

    assert (metadata["name"], metadata["namespace"]) == ("timewright-daemon-default", "shop")
    assert metadata["labels"]["timewright.dev/daemon"] == "default"
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("TaskDaemon", "default", "uid-1", True)


def test_it_is_told_what_it_is_and_within_which_limits() -> None:
    locks = [{"name": "till", "slots": 2}, {"name": "office", "slots": 3}]
    told = environment(maxConcurrentRuns=50, leaseDurationSeconds=20, apiWritesPerMinute=100, locks=locks)

    assert told["TIMEWRIGHT_DAEMON"] == "default"
    assert told["TIMEWRIGHT_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert told["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert told["TIMEWRIGHT_MAX_CONCURRENT_RUNS"] == "50"
    assert told["TIMEWRIGHT_LOCKS"] == '{"office":3,"till":2}'
    assert told["TIMEWRIGHT_LEASE_DURATION_SECONDS"] == "20"
    assert told["TIMEWRIGHT_API_WRITES_PER_MINUTE"] == "100"
    assert told["TIMEWRIGHT_RUNNER_IMAGE"] == RUNNER.image


def test_what_is_not_said_is_not_told() -> None:
    assert not {"TIMEWRIGHT_MAX_CONCURRENT_RUNS", "TIMEWRIGHT_STORE", "TIMEWRIGHT_LOCKS"} & set(environment())


def test_the_database_is_named_by_reference() -> None:
    storage = {"postgresql": {"secretKeyRef": {"name": "database", "key": "url"}}}

    told = environment(storage=storage)
    # The database decides nothing: without the Secret, tasks run all the same.
    reference = {"name": "database", "key": "url", "optional": True}
    assert told["TIMEWRIGHT_STORE"] == {"secretKeyRef": reference}
    assert told["TIMEWRIGHT_STORE_SOURCE"] == "database/url"


def test_the_secrets_of_tasks_come_by_reference_each_once_and_in_an_order_of_their_own() -> None:
    references = (("shop", "token"), ("bank", "key"), ("shop", "token"))

    assert container(*references) == container(*reversed(references))
    assert environment(*references)[secret_variable("shop", "token")] == {
        "secretKeyRef": {"name": "shop", "key": "token", "optional": True}
    }


def test_the_pod_meets_the_restricted_standard_and_has_a_token() -> None:
    one = container()

    assert pod()["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert one["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert pod()["automountServiceAccountToken"] is True


def test_an_update_keeps_somebody_standing_by() -> None:
    said = deployment(replicas=3)["spec"]

    assert said["replicas"] == 3
    assert said["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_a_users_image_is_pulled_as_kubernetes_decides_and_ours_as_the_operator_is_told() -> None:
    assert container()["image"] == OWN.image
    assert container()["imagePullPolicy"] == "IfNotPresent"
    assert container(image="shop:2")["image"] == "shop:2"
    assert "imagePullPolicy" not in container(image="shop:2")
    assert container(image="shop:2", imagePullPolicy="Always")["imagePullPolicy"] == "Always"


def test_a_pod_template_is_laid_over_but_cannot_escape_the_selector() -> None:
    template = {
        "metadata": {"labels": {"timewright.dev/daemon": "other", "team": "a"}},
        "spec": {
            "priorityClassName": "high",
            "containers": [{"name": "daemon", "securityContext": {"readOnlyRootFilesystem": False}}],
        },
    }
    made = deployment(podTemplate=template)["spec"]

    assert made["template"]["metadata"]["labels"] == {**made["selector"]["matchLabels"], "team": "a"}
    assert made["template"]["spec"]["priorityClassName"] == "high"
    (one,) = made["template"]["spec"]["containers"]
    assert one["securityContext"]["readOnlyRootFilesystem"] is False
    assert one["securityContext"]["allowPrivilegeEscalation"] is False


def test_a_users_variable_wins_over_ours() -> None:
    names = [each["name"] for each in container(env=[{"name": "TIMEWRIGHT_DAEMON", "value": "x"}])["env"]]

    assert names.count("TIMEWRIGHT_DAEMON") == 1


def test_an_account_of_the_users_gets_the_role_and_none_is_made() -> None:
    said = spec(serviceAccountName="shop")

    assert build_daemon_service_account(DAEMON, said) is None
    assert build_daemon_role_binding(DAEMON, said)["subjects"] == [
        {"kind": "ServiceAccount", "name": "shop", "namespace": "shop"}
    ]
    assert pod(serviceAccountName="shop")["serviceAccountName"] == "shop"


def test_a_daemon_reads_no_secrets_no_logs_and_writes_no_task() -> None:
    rules = build_daemon_role(DAEMON)["rules"]
    verbs = {resource: set(rule["verbs"]) for rule in rules for resource in rule["resources"]}

    assert not {"secrets", "configmaps", "pods/log", "pods/exec", "cronjobs", "deployments"} & set(verbs)
    assert verbs["scheduledtasks"] == {"get", "list", "watch"}
    assert all("*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"] for rule in rules)


def test_of_leases_and_daemons_it_touches_its_own() -> None:
    rules = build_daemon_role(DAEMON)["rules"]
    named = {(rule["resources"][0], tuple(rule["verbs"])): rule.get("resourceNames") for rule in rules}

    assert named["leases", ("get", "update")] == ["timewright-daemon-default"]
    assert named["taskdaemons/status", ("get", "patch")] == ["default"]


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_drain_takes_one_pod_at_a_time_and_is_never_blocked(replicas: int) -> None:
    budget = build_daemon_disruption_budget(DAEMON)["spec"]

    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment(replicas=replicas)["spec"]["selector"]
