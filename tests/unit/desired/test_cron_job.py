"""ScheduledTask → CronJob."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.desired.fixtures import (
    COMMAND,
    HTTP,
    IN_IMAGE,
    JOB,
    KINDS,
    RUNNER,
    accepted,
    container_of,
    cron_job,
    variables_of,
)
from timewright.decisions.acceptance import Accepted, accept
from timewright.desired.cron_job import KEPT_UNTIL_RECORDED, build_cron_job, digest, time_to_live
from timewright.desired.runner_image import RunnerImage

APPLIED = "timewright.dev/applied"
LABELS = {"app.kubernetes.io/managed-by": "timewright", "timewright.dev/task": "backup"}
GIVEN_TO_EVERY_RUN = [
    {"name": "TIMEWRIGHT_TASK", "value": "backup"},
    {
        "name": "TIMEWRIGHT_RUN_ID",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}},
    },
    {
        "name": "TIMEWRIGHT_SCHEDULED_AT",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['timewright.dev/scheduled-at']"}},
    },
]

NATIVE: dict[str, Any] = {
    "schedule": "*/10 * * * *",
    "timeZone": "Europe/Berlin",
    "concurrencyPolicy": "Forbid",
    "suspend": True,
    "startingDeadlineSeconds": 200,
    "successfulJobsHistoryLimit": 5,
    "failedJobsHistoryLimit": 0,
    "jobTemplate": {
        "metadata": {"labels": {"team": "shop"}, "annotations": {"note": "kept"}},
        "spec": {
            "backoffLimit": 4,
            "activeDeadlineSeconds": 900,
            "podFailurePolicy": {"rules": []},
            "template": {
                "metadata": {"labels": {"team": "shop"}, "annotations": {"note": "kept"}},
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": "shop",
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
                    "initContainers": [{"name": "wait", "image": "busybox", "command": ["true"]}],
                    "containers": [
                        {
                            "name": "main",
                            "image": "shop:1",
                            "args": ["--at", "$(TIMEWRIGHT_SCHEDULED_AT)"],
                            "env": [{"name": "A", "value": "$(B)"}],
                            "terminationMessagePolicy": "File",
                        }
                    ],
                },
            },
        },
    },
}


def without_additions(manifest: dict[str, Any]) -> dict[str, Any]:
    """Take away from a CronJob's spec what is documented as added, and nothing else."""
    spec: dict[str, Any] = copy.deepcopy(manifest["spec"])
    for limit in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        spec[limit] -= KEPT_UNTIL_RECORDED
    job = spec["jobTemplate"]
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        for label in LABELS:
            assert metadata["labels"].pop(label) == LABELS[label]
    pod = job["spec"]["template"]["spec"]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        assert container["env"][:3] == GIVEN_TO_EVERY_RUN
        del container["env"][:3]
        if container["terminationMessagePolicy"] == "FallbackToLogsOnError":
            del container["terminationMessagePolicy"]
        if not container["env"]:
            del container["env"]
    return spec


def test_the_spec_of_a_cron_job_passes_through_but_for_the_documented_additions() -> None:
    given_spec = copy.deepcopy(NATIVE)

    manifest = cron_job(given_spec)

    assert without_additions(manifest) == NATIVE
    assert given_spec == NATIVE, "what was given is not changed"


def test_a_cron_job_is_named_labelled_and_owned() -> None:
    manifest = cron_job(COMMAND)

    assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "CronJob")
    metadata = manifest["metadata"]
    assert (metadata["name"], metadata["namespace"], metadata["labels"]) == ("backup", "shop", LABELS)
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "timewright.dev/v1alpha1",
            "kind": "ScheduledTask",
            "name": "backup",
            "uid": "uid-1",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_what_the_user_left_out_is_left_to_the_api_server() -> None:
    assert not {"timeZone", "startingDeadlineSeconds"} & set(cron_job(COMMAND)["spec"])


@pytest.mark.parametrize("kind", KINDS)
def test_building_is_deterministic(kind: str) -> None:
    assert json.dumps(cron_job(KINDS[kind])) == json.dumps(cron_job(copy.deepcopy(KINDS[kind])))


@pytest.mark.parametrize("kind", KINDS)
def test_every_pod_is_labelled_so_that_its_watchers_find_it(kind: str) -> None:
    template = cron_job(KINDS[kind])["spec"]["jobTemplate"]

    assert template["metadata"]["labels"].items() >= LABELS.items()
    assert template["spec"]["template"]["metadata"]["labels"].items() >= LABELS.items()


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_is_told_which_run_it_is_and_leaves_the_tail_of_its_log(kind: str) -> None:
    container = container_of(KINDS[kind])

    assert container["env"][:3] == GIVEN_TO_EVERY_RUN
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_the_users_own_variable_of_the_same_name_wins() -> None:
    raw = copy.deepcopy(JOB)
    pod = raw["jobTemplate"]["spec"]["template"]["spec"]
    pod["containers"][0]["env"] = [{"name": "TIMEWRIGHT_RUN_ID", "value": "mine"}]

    names = [each["name"] for each in container_of(raw)["env"]]

    assert names == ["TIMEWRIGHT_TASK", "TIMEWRIGHT_SCHEDULED_AT", "TIMEWRIGHT_RUN_ID"]
    assert container_of(raw)["env"][-1]["value"] == "mine"


# The time-out


@pytest.mark.parametrize(
    ("raw", "deadline"),
    [
        ({**COMMAND, "timeoutSeconds": 30}, 90),
        ({**HTTP, "timeoutSeconds": 30}, 90),
        ({**IN_IMAGE, "timeoutSeconds": 30}, 30),
        ({**KINDS["app"], "timeoutSeconds": 30}, 30),
        ({**KINDS["python"], "timeoutSeconds": 30}, 90),
        ({**JOB, "timeoutSeconds": 30}, 30),
        ({**NATIVE, "timeoutSeconds": 30}, 900),
        (COMMAND, None),
        (JOB, None),
    ],
)
def test_the_job_ends_what_the_runner_does_not_end_itself(raw: dict[str, Any], deadline: int | None) -> None:
    assert cron_job(raw)["spec"]["jobTemplate"]["spec"].get("activeDeadlineSeconds") == deadline


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "job"])
def test_a_failed_run_is_not_started_again_by_itself(kind: str) -> None:
    job = cron_job(KINDS[kind])["spec"]["jobTemplate"]["spec"]

    assert job["backoffLimit"] == 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"


# What is held back until a run is recorded


def test_the_time_to_live_is_held_back_and_known() -> None:
    raw = copy.deepcopy(JOB)
    raw["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] = 0

    assert "ttlSecondsAfterFinished" not in json.dumps(cron_job(raw))
    assert time_to_live(accepted(raw)) == 0
    assert time_to_live(accepted(JOB)) is None
    assert time_to_live(accepted(COMMAND)) is None


def test_the_native_limits_are_raised_and_stay_within_32_bits() -> None:
    raw = {**COMMAND, "successfulJobsHistoryLimit": 2147483647, "failedJobsHistoryLimit": 0}

    spec = cron_job(raw)["spec"]

    assert spec["successfulJobsHistoryLimit"] == 2147483647
    assert spec["failedJobsHistoryLimit"] == KEPT_UNTIL_RECORDED


# The digest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=5), json_values, max_size=4)


def same(one: Any, other: Any) -> bool:
    """Tell whether two are the same JSON; to Python, true and 1 are equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(objects, objects)
def test_a_digest_changes_if_and_only_if_the_content_does(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (digest(one) == digest(other)) == same(one, other)
    assert digest(one) == digest(dict(reversed(one.items())))


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": "@daily"},
        {"suspend": True},
        {"timeZone": "Europe/Berlin"},
        {"command": ["sh", "-c", "date -u"]},
        {"env": [{"name": "A", "value": "1"}]},
        {"successfulJobsHistoryLimit": 4},
        {"parameters": [{"name": "a", "default": "x"}]},
    ],
)
def test_an_edit_that_matters_to_the_cron_job_changes_its_digest(change: dict[str, Any]) -> None:
    before, after = cron_job(COMMAND), cron_job({**COMMAND, **change})

    assert before["metadata"]["annotations"][APPLIED] != after["metadata"]["annotations"][APPLIED]


@pytest.mark.parametrize("change", [{"successfulRunsHistoryLimit": 3}, {"imagePullDeadlineSeconds": 7}])
def test_an_edit_that_does_not_matter_to_the_cron_job_leaves_it_alone(change: dict[str, Any]) -> None:
    assert cron_job(COMMAND) == cron_job({**COMMAND, **change})


def test_another_runner_image_changes_the_digest() -> None:
    newer = cron_job(COMMAND, runner=RunnerImage("timewright:1.1"))

    assert digest(newer) != digest(cron_job(COMMAND))


# Further attempts


def deadline_of(raw: dict[str, Any]) -> int:
    deadline: int = cron_job(raw)["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
    return deadline


def test_the_runner_is_told_how_often_to_try_again() -> None:
    variables = variables_of(container_of({**COMMAND, "retry": {"limit": 3, "backoffSeconds": 5}}))

    definition = json.loads(variables["TIMEWRIGHT_DEFINITION"]["value"])
    assert definition["spec"]["retry"] == {"limit": 3, "backoffSeconds": 5}
    told = json.loads(variables_of(container_of(COMMAND))["TIMEWRIGHT_DEFINITION"]["value"])
    assert "retry" not in told["spec"]


def test_the_job_outlasts_every_attempt_that_times_out_and_every_wait() -> None:
    once = {**COMMAND, "timeoutSeconds": 30}
    retry = {"limit": 3, "backoffSeconds": 100, "maxBackoffSeconds": 250}

    assert deadline_of(once) == 30 + 60
    assert deadline_of({**once, "retry": retry}) == 4 * (30 + 60) + 100 + 200 + 250
    assert deadline_of({**once, "retry": {"limit": 0}}) == deadline_of(once)


def test_no_deadline_is_too_long_for_the_api() -> None:
    raw = {**COMMAND, "timeoutSeconds": 2147483, "retry": {"limit": 100, "backoffSeconds": 86400}}

    assert deadline_of(raw) < 2**31
    assert deadline_of({**raw, "retry": {"limit": 100}}) > 101 * 2147483


# A schedule that was compiled


def test_a_spread_schedule_becomes_numbers_of_the_tasks_own() -> None:
    spread = {**COMMAND, "schedule": "H H * * *"}
    one, other = (cron_job(spread, name=name)["spec"] for name in ("backup", "report"))

    assert one["schedule"] != other["schedule"]
    assert one["timeZone"] == "UTC"
    assert re.fullmatch(r"\d+ \d+ \* \* \*", one["schedule"])
    assert cron_job(spread)["spec"] == one


# Malformed templates are for the API server to refuse

malformed = json_values | st.sampled_from([[], {}, [None], [[]], [{"name": []}], [{"name": {}}], "text", 0])


def some_of(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw an object in which each field is right, malformed or missing."""
    return st.fixed_dictionaries({}, optional={name: malformed | right for name, right in fields.items()})


metadata = some_of({"labels": objects, "annotations": objects})
variables = st.lists(
    some_of({"name": st.sampled_from(["A", "TIMEWRIGHT_TASK"]), "value": st.text()}) | malformed, max_size=2
)
containers = st.lists(
    some_of({"name": st.sampled_from(["task", "b"]), "env": variables, "volumeMounts": st.lists(objects, max_size=2)})
    | malformed,
    max_size=2,
)
volumes = st.lists(some_of({"name": st.just("tmp"), "emptyDir": objects}) | malformed, max_size=2)
pods = some_of({"containers": containers, "initContainers": containers, "volumes": volumes, "securityContext": objects})
pod_templates = some_of({"metadata": metadata, "spec": pods})
jobs = some_of({"template": pod_templates, "ttlSecondsAfterFinished": st.just(5), "activeDeadlineSeconds": st.just(5)})
job_templates = some_of({"metadata": metadata, "spec": jobs})
raw_specs = st.one_of(
    st.fixed_dictionaries(
        {"schedule": st.just("@daily"), "jobTemplate": job_templates}, optional={"timeoutSeconds": st.just(5)}
    ),
    st.fixed_dictionaries(
        {"schedule": st.just("@daily"), "command": st.just(["true"])},
        optional={
            "podTemplate": pod_templates,
            "env": variables,
            "envFrom": malformed,
            "resources": malformed,
            "image": st.just("busybox"),
        },
    ),
)


@settings(max_examples=500, deadline=None)
@given(raw_specs)
def test_no_template_is_too_malformed_to_be_built(raw: dict[str, Any]) -> None:
    before = copy.deepcopy(raw)

    verdict = accept(raw)
    if isinstance(verdict, Accepted):
        assert verdict.native is not None
        manifest = build_cron_job("shop", "backup", "uid-1", verdict.spec, verdict.native, RUNNER)
        assert json.loads(json.dumps(manifest)) == manifest
        time_to_live(verdict.spec)
    assert raw == before


@pytest.mark.parametrize(
    "template",
    [
        {"spec": None},
        {"spec": []},
        {"spec": "x"},
        {"metadata": "x"},
        {"metadata": {"labels": ["x"]}},
        {"spec": {"template": None}},
        {"spec": {"template": {"spec": 5}}},
        {"spec": {"template": {"metadata": [], "spec": {}}}},
        {"spec": {"template": {"spec": {"containers": {"name": "main"}}}}},
        {"spec": {"template": {"spec": {"containers": [{"name": "a", "env": {"A": "b"}}]}}}},
    ],
)
def test_what_is_malformed_reaches_the_api_server_as_it_was_written(template: dict[str, Any]) -> None:
    built = cron_job({"schedule": "@daily", "jobTemplate": template})["spec"]["jobTemplate"]

    def contains(whole: Any, part: Any) -> bool:
        if isinstance(whole, dict) and isinstance(part, dict):
            return all(key in whole and contains(whole[key], value) for key, value in part.items())
        if isinstance(whole, list) and isinstance(part, list):
            return len(whole) == len(part) and all(contains(*pair) for pair in zip(whole, part, strict=True))
        return part in (whole, None)

    assert contains(built, template)
