"""The Helm chart renders what an administrator may rely on."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

import timewright
from tests.unit.chart.rendering import CHART, ROOT, Helm, HelmError, Manifest, Render

EVERYTHING: Manifest = {
    "replicas": 2,
    "image": {"registry": "registry.example.com", "repository": "team/timewright", "tag": "1.2.3"},
    "imagePullSecrets": [{"name": "registry"}],
    "metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
    "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
    "scheduledAtPolicy": {"enabled": True},
    "commonLabels": {"team": "platform"},
    "commonAnnotations": {"contact": "platform"},
    "podLabels": {"sidecar": "no"},
    "podAnnotations": {"note": "here"},
    "serviceAccount": {"name": "elsewhere", "annotations": {"identity": "none"}},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "priorityClassName": "system-cluster-critical",
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
}


def of_kind(manifests: list[Manifest], kind: str, name: str | None = None) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind and name in (None, each["metadata"]["name"])]


def the(manifests: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    (only,) = of_kind(manifests, kind, name)
    return only


def environment(deployment: Manifest) -> dict[str, Any]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def permissions(role: Manifest) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("values", [{}, EVERYTHING, {"watchNamespaces": ["a"]}], ids=["default", "everything", "one"])
def test_lints(helm: Helm, tmp_path: Any, values: Manifest) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    helm("lint", "--strict", str(CHART), "--values", str(file))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, f"timewright:{timewright.__version__}"),
        ({"runner": {"image": "slim:1"}}, f"timewright:{timewright.__version__}"),
        ({"daemon": {"image": "daemon:1"}}, "daemon:1"),
    ],
)
def test_daemons_run_in_the_operators_image_by_default(render: Render, values: Manifest, expected: str) -> None:
    assert environment(the(render(values), "Deployment"))["TIMEWRIGHT_DAEMON_IMAGE"] == expected


def test_versions_are_the_package_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == timewright.__version__
    assert chart["version"] == timewright.__version__


def test_every_value_is_described_to_the_schema(render: Render) -> None:
    with pytest.raises(HelmError, match="additional properties 'replicaCount' not allowed"):
        render({"replicaCount": 2})
    with pytest.raises(HelmError, match="additional properties 'enable' not allowed"):
        render({"metrics": {"serviceMonitor": {"enable": True}}})
    with pytest.raises(HelmError, match="watchNamespaces"):
        render({"watchNamespaces": ["Not a name"]})
    with pytest.raises(HelmError, match="scheduledAtPolicy"):
        render({"scheduledAtPolicy": {"enabled": "sometimes"}})


def test_the_operator_is_told_what_it_needs(render: Render) -> None:
    deployment = the(render(), "Deployment")
    assert environment(deployment) == {
        "POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "TIMEWRIGHT_OPERATOR_NAMESPACE": {"fieldRef": {"fieldPath": "metadata.namespace"}},
        "TIMEWRIGHT_LEASE_NAME": "timewright-operator",
        "TIMEWRIGHT_NAMESPACES": "",
        "TIMEWRIGHT_RUNNER_IMAGE": f"timewright:{timewright.__version__}",
        "TIMEWRIGHT_RUNNER_IMAGE_PULL_POLICY": "IfNotPresent",
        "TIMEWRIGHT_DAEMON_IMAGE": f"timewright:{timewright.__version__}",
        "TIMEWRIGHT_DAEMON_IMAGE_PULL_POLICY": "IfNotPresent",
        "TIMEWRIGHT_WORKERS": "16",
        "TIMEWRIGHT_NOTIFY_HOSTS": "",
        "TIMEWRIGHT_TASK_METRICS_LIMIT": "10000",
        "TIMEWRIGHT_LOG_LEVEL": "info",
        "TIMEWRIGHT_LOG_FORMAT": "json",
    }
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["timewright", "operator"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "healthz"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({"tag": "9"}, "timewright:9"),
        ({"registry": "registry.example.com:5000", "tag": "9"}, "registry.example.com:5000/timewright:9"),
        ({"tag": "9", "digest": "sha256:" + "0" * 64}, "timewright@sha256:" + "0" * 64),
    ],
)
def test_image(render: Render, image: Manifest, expected: str) -> None:
    deployment = the(render({"image": image}), "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == expected
    assert environment(deployment)["TIMEWRIGHT_RUNNER_IMAGE"] == expected
    deployment = the(render({"image": image, "runner": {"image": "runner:1"}}), "Deployment")
    assert environment(deployment)["TIMEWRIGHT_RUNNER_IMAGE"] == "runner:1"


def test_pods_meet_the_restricted_standard(render: Render) -> None:
    manifests = render()
    pods = [the(manifests, "Deployment")["spec"]["template"]["spec"], the(manifests, "Pod")["spec"]]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_only_the_operators_own_pod_mounts_a_token(render: Render) -> None:
    manifests = render()
    assert all(each["automountServiceAccountToken"] is False for each in of_kind(manifests, "ServiceAccount"))
    assert the(manifests, "Deployment")["spec"]["template"]["spec"]["automountServiceAccountToken"] is True


class TestPermissions:
    def test_cluster_wide(self, render: Render) -> None:
        manifests = render()
        role = the(manifests, "ClusterRole", "timewright")
        binding = the(manifests, "ClusterRoleBinding")
        assert binding["roleRef"]["name"] == "timewright"
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "timewright", "namespace": "ops"}]
        assert permissions(role) == {
            *(("timewright.dev", "scheduledtasks", verb) for verb in ("get", "list", "watch")),
            *(("timewright.dev", "scheduledtasks/status", verb) for verb in ("get", "patch")),
            ("timewright.dev", "scheduledtasks/finalizers", "update"),
            *(("timewright.dev", "taskruns", verb) for verb in ("get", "list", "watch", "create", "patch", "delete")),
            *(("timewright.dev", "taskruns/status", verb) for verb in ("get", "patch")),
            *(("batch", "cronjobs", verb) for verb in ("get", "list", "watch", "create", "patch")),
            *(("batch", "cronjobs/status", verb) for verb in ("get", "patch")),
            ("batch", "cronjobs/finalizers", "update"),
            *(("batch", "jobs", verb) for verb in ("get", "list", "watch", "create", "patch", "delete")),
            ("", "pods", "list"),
            *(("events.k8s.io", "events", verb) for verb in ("create", "patch")),
            *(("timewright.dev", "taskdaemons", verb) for verb in ("get", "list", "watch", "create", "delete")),
            *(("timewright.dev", "taskdaemons/status", verb) for verb in ("get", "patch")),
            ("timewright.dev", "taskdaemons/finalizers", "update"),
            *(("apps", "deployments", verb) for verb in ("get", "list", "watch", "create", "patch", "delete")),
            *(
                (group, resource, verb)
                for group, resource in (
                    ("policy", "poddisruptionbudgets"),
                    ("", "serviceaccounts"),
                    ("rbac.authorization.k8s.io", "roles"),
                    ("rbac.authorization.k8s.io", "rolebindings"),
                )
                for verb in ("get", "create", "patch")
            ),
            *(("coordination.k8s.io", "leases", verb) for verb in ("get", "create", "update")),
        }

    def test_a_list_of_namespaces_needs_nothing_cluster_wide(self, render: Render) -> None:
        manifests = render({"watchNamespaces": ["a", "b"]})
        assert of_kind(manifests, "ClusterRoleBinding") == []
        assert {each["metadata"]["name"] for each in of_kind(manifests, "ClusterRole")} == {
            "timewright-view",
            "timewright-edit",
        }
        cluster_wide = the(render(), "ClusterRole", "timewright")
        for namespace in ("a", "b"):
            (role,) = [each for each in of_kind(manifests, "Role") if each["metadata"]["namespace"] == namespace]
            assert permissions(role) == permissions(cluster_wide)
            (binding,) = [
                each for each in of_kind(manifests, "RoleBinding") if each["metadata"]["namespace"] == namespace
            ]
            assert binding["roleRef"]["name"] == role["metadata"]["name"]
            assert binding["subjects"][0]["namespace"] == "ops"
        assert environment(the(manifests, "Deployment"))["TIMEWRIGHT_NAMESPACES"] == "a,b"

    def test_the_lease_is_bound_to_its_name(self, render: Render) -> None:
        role = the(render(release="blue"), "Role", "blue-timewright-leader-election")
        named = [rule for rule in role["rules"] if "resourceNames" in rule]
        assert [rule["resourceNames"] for rule in named] == [["blue-timewright-operator"]]
        assert permissions({"rules": named}) == {("coordination.k8s.io", "leases", verb) for verb in ("get", "update")}

    def test_tenants_never_write_a_status(self, render: Render) -> None:
        manifests = render()
        view = the(manifests, "ClusterRole", "timewright-view")
        edit = the(manifests, "ClusterRole", "timewright-edit")
        assert {verb for _, _, verb in permissions(view)} == {"get", "list", "watch"}
        assert permissions(edit) == {
            *(("timewright.dev", "scheduledtasks", verb) for verb in ("create", "update", "patch", "delete")),
            *(("timewright.dev", "taskdaemons", verb) for verb in ("create", "update", "patch", "delete")),
            *(("timewright.dev", "taskruns", verb) for verb in ("create", "delete")),
        }
        aggregated = "rbac.authorization.k8s.io/aggregate-to-"
        assert {key for key in view["metadata"]["labels"] if key.startswith(aggregated)} == {
            f"{aggregated}{role}" for role in ("view", "edit", "admin")
        }
        assert {key for key in edit["metadata"]["labels"] if key.startswith(aggregated)} == {
            f"{aggregated}{role}" for role in ("edit", "admin")
        }

    def test_none(self, render: Render) -> None:
        manifests = render(
            {"rbac": {"create": False}, "aggregatedRoles": {"enabled": False}, "tests": {"enabled": False}}
        )
        assert not [each for each in manifests if each["apiVersion"].startswith("rbac.authorization.k8s.io")]


class TestCustomResourceDefinitions:
    def test_outlive_the_release(self, render: Render) -> None:
        crds = of_kind(render(), "CustomResourceDefinition")
        assert {each["metadata"]["name"] for each in crds} == {
            "scheduledtasks.timewright.dev",
            "taskruns.timewright.dev",
            "taskdaemons.timewright.dev",
        }
        for each in crds:
            assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"

    def test_are_those_of_the_repository(self, render: Render) -> None:
        rendered = {each["metadata"]["name"]: each["spec"] for each in of_kind(render(), "CustomResourceDefinition")}
        written = [yaml.safe_load(file.read_text()) for file in (ROOT / "crds").glob("*.yaml")]
        assert rendered == {each["metadata"]["name"]: each["spec"] for each in written}

    def test_may_be_left_out(self, render: Render) -> None:
        assert of_kind(render({"crds": {"install": False}}), "CustomResourceDefinition") == []


class TestScheduledAtPolicy:
    SERVED = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"

    def test_auto_follows_the_api_server(self, render: Render) -> None:
        assert of_kind(render(), "MutatingAdmissionPolicy") == []
        manifests = render(None, "--api-versions", self.SERVED)
        policy = the(manifests, "MutatingAdmissionPolicy")
        assert policy["metadata"]["name"] == "timewright-scheduled-at"
        assert policy["spec"]["failurePolicy"] == "Ignore"
        binding = the(manifests, "MutatingAdmissionPolicyBinding")
        assert binding["spec"] == {"policyName": "timewright-scheduled-at"}

    @pytest.mark.parametrize("enabled", [True, "true"])
    def test_on(self, render: Render, enabled: bool | str) -> None:
        assert of_kind(render({"scheduledAtPolicy": {"enabled": enabled}}), "MutatingAdmissionPolicy")

    @pytest.mark.parametrize("enabled", [False, "false"])
    def test_off(self, render: Render, enabled: bool | str) -> None:
        manifests = render({"scheduledAtPolicy": {"enabled": enabled}}, "--api-versions", self.SERVED)
        assert of_kind(manifests, "MutatingAdmissionPolicy") == []

    def test_is_bound_to_the_watched_namespaces(self, render: Render) -> None:
        manifests = render({"watchNamespaces": ["a", "b"], "scheduledAtPolicy": {"enabled": True}})
        resources = the(manifests, "MutatingAdmissionPolicyBinding")["spec"]["matchResources"]
        (expression,) = resources["namespaceSelector"]["matchExpressions"]
        assert expression == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}


def test_everything_optional(render: Render) -> None:
    manifests = render(EVERYTHING)
    labelled = [each["metadata"].get("labels", {}).get("team") for each in manifests]
    assert set(labelled) == {"platform"}
    assert {each["metadata"].get("annotations", {}).get("contact") for each in manifests} == {"platform"}
    deployment = the(manifests, "Deployment")
    pod = deployment["spec"]["template"]
    assert pod["metadata"]["labels"]["sidecar"] == "no"
    assert pod["metadata"]["annotations"]["note"] == "here"
    assert pod["spec"]["serviceAccountName"] == "elsewhere"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["spec"]["priorityClassName"] == "system-cluster-critical"
    assert pod["spec"]["topologySpreadConstraints"] == EVERYTHING["topologySpreadConstraints"]
    assert environment(deployment)["HTTPS_PROXY"] == "http://proxy:3128"
    assert the(manifests, "PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert the(manifests, "ServiceMonitor")["metadata"]["labels"]["release"] == "prometheus"
    assert the(manifests, "NetworkPolicy")["spec"]["ingress"][0]["from"] == [{"namespaceSelector": {}}]


def test_selectors_match_the_operators_pod_alone(render: Render) -> None:
    manifests = render(EVERYTHING)
    pod_labels = the(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    test_labels = the(manifests, "Pod")["metadata"]["labels"].items()
    selectors = [
        the(manifests, "Deployment")["spec"]["selector"]["matchLabels"],
        the(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        the(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        the(manifests, "Service")["spec"]["selector"],
    ]
    for selector in selectors:
        assert selector.items() <= pod_labels
        assert not selector.items() <= test_labels


def test_namespace_override_moves_everything(render: Render) -> None:
    manifests = render({"namespaceOverride": "elsewhere"})
    namespaces = {each["metadata"].get("namespace") for each in manifests}
    assert namespaces == {"elsewhere", None}
    assert the(manifests, "ClusterRoleBinding")["subjects"][0]["namespace"] == "elsewhere"


def test_names_are_valid_however_long_the_release(render: Render) -> None:
    for manifest in render(EVERYTHING, release="r" * 53):
        name = manifest["metadata"]["name"]
        assert len(name) <= 63, name
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name), name


def test_the_test_pod_may_read_one_deployment(render: Render) -> None:
    manifests = render()
    role = the(manifests, "Role", "timewright-test")
    assert role["rules"] == [
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["timewright"], "verbs": ["get"]}
    ]
    (container,) = the(manifests, "Pod")["spec"]["containers"]
    compile(container["args"][0], "test pod", "exec")
    for kind in ("ServiceAccount", "Role", "RoleBinding", "Pod"):
        (hook,) = [each for each in of_kind(manifests, kind) if each["metadata"]["name"] == "timewright-test"]
        assert hook["metadata"]["annotations"]["helm.sh/hook"] == "test"
