"""The Pod of a run: what it may, what it knows, and what a user lays over it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.desired.fixtures import (
    APP,
    COMMAND,
    HTTP,
    IN_IMAGE,
    JOB,
    KINDS,
    PYTHON,
    container_of,
    cron_job,
    pod_of,
    variables_of,
)
from tests.unit.desired.kubelet import expanded
from timewright.desired.overlay import overlaid
from timewright.resources.definition import secret_variable
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.runner.manifest import parse_definition

GENERATED = [kind for kind in KINDS if kind != "job"]


def seen_by_the_runner(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the definition as it arrives in the container."""
    value = variables_of(container_of(raw))["TIMEWRIGHT_DEFINITION"]["value"]
    manifest: dict[str, Any] = json.loads(expanded(value, {"HOME": "/wrong", "A": "wrong"}))
    return manifest


# Privileges


@pytest.mark.parametrize("kind", GENERATED)
def test_no_token_is_mounted(kind: str) -> None:
    assert pod_of(KINDS[kind])["automountServiceAccountToken"] is False


def test_a_users_own_pod_keeps_its_privileges() -> None:
    assert "automountServiceAccountToken" not in pod_of(JOB)
    assert "securityContext" not in container_of(JOB)


@pytest.mark.parametrize("raw", [HTTP, COMMAND], ids=["http", "command"])
def test_the_runners_image_meets_the_restricted_pod_security_standard(raw: dict[str, Any]) -> None:
    pod, container = pod_of(raw), container_of(raw)

    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]


@pytest.mark.parametrize("raw", [IN_IMAGE, PYTHON, APP], ids=["command", "python", "app"])
def test_a_users_image_runs_as_it_is(raw: dict[str, Any]) -> None:
    pod, container = pod_of(raw), container_of(raw)

    assert container["image"] == raw["image"]
    assert not {"securityContext", "volumes"} & set(pod)
    assert not {"securityContext", "volumeMounts", "imagePullPolicy"} & set(container)


# What runs


@pytest.mark.parametrize(
    ("raw", "command"),
    [
        (HTTP, ["timewright", "schedule:run"]),
        (COMMAND, ["timewright", "schedule:run"]),
        (PYTHON, ["timewright", "schedule:run"]),
        ({**PYTHON, "image": None}, ["timewright", "schedule:run"]),
        (IN_IMAGE, ["sh", "-c", "date"]),
        (APP, ["php", "artisan", "schedule:run"]),
    ],
)
def test_the_runner_runs_what_it_understands_and_images_run_the_rest(raw: dict[str, Any], command: list[str]) -> None:
    container = container_of({key: value for key, value in raw.items() if value is not None})

    assert container["command"] == command
    assert ("TIMEWRIGHT_DEFINITION" in variables_of(container)) == (command[0] == "timewright")


@pytest.mark.parametrize("raw", [HTTP, COMMAND, PYTHON], ids=["http", "command", "python"])
def test_the_runner_is_handed_a_definition_that_it_reads_as_the_same_task(raw: dict[str, Any]) -> None:
    manifest = seen_by_the_runner({**raw, "timeoutSeconds": 30})

    definition = parse_definition(json.dumps(manifest))
    assert (definition.name, definition.namespace, definition.timeout_seconds) == ("backup", "shop", 30)
    spec = ScheduledTaskSpec.model_validate(raw)
    assert definition.work == getattr(spec, definition.kind)


def test_the_definition_holds_nothing_that_the_runner_need_not_know() -> None:
    manifest = seen_by_the_runner({**COMMAND, "env": [{"name": "PASSWORD", "value": "s3cret"}], "suspend": True})

    assert set(manifest["spec"]) == {"schedule", "command"}


# What the kubelet makes of it

dollars = st.text(alphabet="$()AHOME_{} x", max_size=12)


@given(st.lists(dollars, min_size=1, max_size=4))
def test_a_command_reaches_the_runner_dollar_by_dollar(command: list[str]) -> None:
    assert seen_by_the_runner({**COMMAND, "command": command})["spec"]["command"] == command


@given(dollars)
def test_a_parameter_reaches_the_run_dollar_by_dollar(text: str) -> None:
    raw = {**COMMAND, "parameters": [{"name": "who", "default": text}]}

    variables = variables_of(container_of(raw))

    assert expanded(variables["TIMEWRIGHT_PARAMETER_WHO"]["value"], {"HOME": "/wrong", "A": "wrong"}) == text
    whole = expanded(variables["TIMEWRIGHT_PARAMETERS"]["value"], {"HOME": "/wrong", "A": "wrong"})
    assert json.loads(whole) == {"who": text}


def test_a_users_own_variables_are_expanded_as_in_any_pod() -> None:
    raw = {**COMMAND, "env": [{"name": "A", "value": "$(TIMEWRIGHT_TASK)-$$x"}]}

    assert variables_of(container_of(raw))["A"]["value"] == "$(TIMEWRIGHT_TASK)-$$x"


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("string", "today", "today"),
        ("string", "", ""),
        ("integer", 3, "3"),
        ("number", 0.5, "0.5"),
        ("boolean", True, "true"),
        ("string", "grün", "grün"),
    ],
)
def test_parameters_are_text_each_and_json_together(kind: str, value: Any, text: str) -> None:
    variables = variables_of(
        container_of({**IN_IMAGE, "parameters": [{"name": "a", "type": kind, "default": value}, {"name": "b"}]})
    )

    assert variables["TIMEWRIGHT_PARAMETER_A"]["value"] == text
    assert json.loads(variables["TIMEWRIGHT_PARAMETERS"]["value"]) == {"a": value}
    assert "TIMEWRIGHT_PARAMETER_B" not in variables


# Secrets


def test_a_secret_travels_by_reference_alone_and_once() -> None:
    variables = variables_of(container_of(HTTP))

    name = secret_variable("shop", "token")
    assert variables[name] == {"name": name, "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}
    assert sum("secretKeyRef" in json.dumps(each) for each in container_of(HTTP)["env"] if "valueFrom" in each) == 1


def test_env_env_from_and_resources_are_the_containers_own() -> None:
    raw = {
        **COMMAND,
        "env": [{"name": "A", "value": "1"}],
        "envFrom": [{"secretRef": {"name": "shop"}}],
        "resources": {"limits": {"memory": "64Mi"}},
    }

    container = container_of(raw)

    assert container["env"][-1] == {"name": "A", "value": "1"}
    assert container["envFrom"] == raw["envFrom"]
    assert container["resources"] == raw["resources"]


# Laid over by the user


def overlay(pod: dict[str, Any]) -> dict[str, Any]:
    return pod_of({**COMMAND, "podTemplate": {"spec": pod}})


def test_a_pod_template_adds_to_the_pod_and_wins() -> None:
    pod = overlay({"serviceAccountName": "shop", "automountServiceAccountToken": True, "nodeSelector": {"a": "b"}})

    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("shop", True)
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_a_pod_template_changes_the_container_by_its_name() -> None:
    pod = overlay({"containers": [{"name": "task", "securityContext": {"runAsUser": 7}, "workingDir": "/srv"}]})

    (container,) = pod["containers"]
    assert container["workingDir"] == "/srv"
    assert container["securityContext"]["runAsUser"] == 7
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["command"] == ["timewright", "schedule:run"]


def test_a_pod_template_adds_containers_volumes_and_mounts() -> None:
    pod = overlay(
        {
            "volumes": [{"name": "data", "emptyDir": {}}],
            "containers": [
                {"name": "task", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                {"name": "proxy", "image": "proxy"},
            ],
        }
    )

    assert [each["name"] for each in pod["containers"]] == ["task", "proxy"]
    assert [each["name"] for each in pod["volumes"]] == ["tmp", "data"]
    assert [each["mountPath"] for each in pod["containers"][0]["volumeMounts"]] == ["/tmp", "/data"]


def test_a_volume_of_another_kind_takes_the_place_of_the_generated_one() -> None:
    pod = overlay({"volumes": [{"name": "tmp", "persistentVolumeClaim": {"claimName": "big"}}]})

    assert pod["volumes"] == [{"name": "tmp", "persistentVolumeClaim": {"claimName": "big"}}]


def test_a_variable_with_another_source_takes_the_place_of_the_generated_one() -> None:
    variable = {"name": "TIMEWRIGHT_SCHEDULED_AT", "value": "2026-01-01T00:00:00Z"}

    pod = overlay({"containers": [{"name": "task", "env": [variable]}]})

    assert variables_of(pod["containers"][0])["TIMEWRIGHT_SCHEDULED_AT"] == variable
    assert len([each for each in pod["containers"][0]["env"] if each["name"] == variable["name"]]) == 1


def test_labels_of_a_pod_template_join_ours_and_cannot_displace_them() -> None:
    metadata = {"labels": {"team": "shop", "timewright.dev/task": "other"}, "annotations": {"a": "b"}}

    template = cron_job({**COMMAND, "podTemplate": {"metadata": metadata}})["spec"]["jobTemplate"]["spec"]["template"]

    assert template["metadata"]["labels"] == {
        "team": "shop",
        "app.kubernetes.io/managed-by": "timewright",
        "timewright.dev/task": "backup",
    }
    assert template["metadata"]["annotations"] == {"a": "b"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "env", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values, json_values)
def test_laying_over_changes_neither_and_always_shows_what_was_laid_over(base: Any, over: Any) -> None:
    before = json.dumps([base, over])

    merged = overlaid(base, over)

    assert json.dumps([base, over]) == before
    if not (isinstance(base, dict) and isinstance(over, dict)):
        assert merged == over
    else:
        assert set(merged) == set(base) | set(over)


@given(json_values)
def test_what_is_laid_over_nothing_is_what_comes_out(value: Any) -> None:
    assert overlaid({}, value) == value
    assert overlaid(None, value) == value
