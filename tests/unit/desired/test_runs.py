"""TaskRun made by hand → Job, and Job of a tick → TaskRun."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from tests.unit.desired.fixtures import COMMAND, IN_IMAGE, JOB, cron_job, variables_of
from tests.unit.desired.kubelet import expanded
from timewright.desired.manual_job import build_manual_job
from timewright.desired.names import manual_job_name
from timewright.desired.task_run import build_task_run

REQUESTED = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def live(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a CronJob as the API server gives it back."""
    manifest = copy.deepcopy(cron_job(raw))
    manifest["metadata"] |= {"uid": "cron-uid", "resourceVersion": "7", "generation": 1}
    manifest["spec"]["jobTemplate"]["metadata"]["creationTimestamp"] = None
    manifest["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["creationTimestamp"] = None
    manifest["status"] = {"active": []}
    return manifest


def manual(raw: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    return build_manual_job(live(raw), run_name="now", run_uid="run-uid", requested_at=REQUESTED, parameters=parameters)


def test_a_run_by_hand_is_the_job_of_a_tick_but_for_when_and_why() -> None:
    template = live(JOB)["spec"]["jobTemplate"]

    job = manual(JOB)

    pod, ticks_pod = job["spec"]["template"]["spec"], template["spec"]["template"]["spec"]
    variables, ticks_variables = (variables_of(each["containers"][0]) for each in (pod, ticks_pod))
    assert variables.pop("TIMEWRIGHT_SCHEDULED_AT") == {
        "name": "TIMEWRIGHT_SCHEDULED_AT",
        "value": "2026-03-01T12:00:30Z",
    }
    del ticks_variables["TIMEWRIGHT_SCHEDULED_AT"]
    assert variables == ticks_variables
    for each in (*pod["containers"], *ticks_pod["containers"]):
        del each["env"]
    assert pod == ticks_pod
    assert {**job["spec"], "template": None} == {**template["spec"], "template": None}


def test_the_job_belongs_to_the_cron_job_as_kubectl_would_have_it() -> None:
    metadata = manual(COMMAND)["metadata"]

    assert metadata["name"] == manual_job_name("now", "run-uid")
    assert metadata["namespace"] == "shop"
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": "backup",
            "uid": "cron-uid",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert metadata["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"


def test_the_job_says_which_task_and_which_run_it_is_of() -> None:
    job = manual(COMMAND)

    assert job["metadata"]["labels"]["timewright.dev/task"] == "backup"
    assert job["metadata"]["annotations"]["timewright.dev/run"] == "now"
    assert job["spec"]["template"]["metadata"]["labels"]["timewright.dev/task"] == "backup"
    assert job["spec"]["template"]["metadata"]["annotations"]["timewright.dev/scheduled-at"] == "2026-03-01T12:00:30Z"


def test_parameters_of_the_run_take_the_place_of_the_defaults_in_every_container() -> None:
    raw = copy.deepcopy(JOB) | {"parameters": [{"name": "day", "default": "today"}]}
    pod = raw["jobTemplate"]["spec"]["template"]["spec"]
    pod["initContainers"] = [{"name": "prepare", "image": "busybox"}]

    job = manual(raw, day="$(HOME) all")

    pod = job["spec"]["template"]["spec"]
    for container in (*pod["initContainers"], *pod["containers"]):
        matching = [each for each in container["env"] if each["name"] == "TIMEWRIGHT_PARAMETER_DAY"]
        assert [expanded(each["value"], {"HOME": "/wrong"}) for each in matching] == ["$(HOME) all"]
        assert expanded(variables_of(container)["TIMEWRIGHT_PARAMETERS"]["value"], {}) == '{"day":"$(HOME) all"}'


def test_the_run_keeps_its_identity_from_its_own_job() -> None:
    variables = variables_of(manual(IN_IMAGE)["spec"]["template"]["spec"]["containers"][0])

    assert variables["TIMEWRIGHT_RUN_ID"]["valueFrom"]["fieldRef"]["fieldPath"].startswith("metadata.labels")


def test_annotations_of_the_template_are_kept() -> None:
    raw = copy.deepcopy(JOB)
    raw["jobTemplate"]["metadata"] = {"annotations": {"a": "job"}}
    raw["jobTemplate"]["spec"]["template"]["metadata"] = {"annotations": {"a": "pod"}}

    job = manual(raw)

    assert job["metadata"]["annotations"]["a"] == "job"
    assert job["spec"]["template"]["metadata"]["annotations"]["a"] == "pod"


def test_building_does_not_change_the_cron_job() -> None:
    manifest = live(JOB)
    before = copy.deepcopy(manifest)

    build_manual_job(manifest, run_name="now", run_uid="u", requested_at=REQUESTED, parameters={"a": 1})

    assert manifest == before


def test_a_template_with_as_little_as_the_api_server_lets_pass_will_do() -> None:
    manifest = {
        "metadata": {"name": "backup", "namespace": "shop", "uid": "u"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}}},
    }

    job = build_manual_job(manifest, run_name="now", run_uid="u", requested_at=REQUESTED, parameters={})

    assert job["spec"]["template"]["spec"]["containers"][0]["env"][0]["name"] == "TIMEWRIGHT_SCHEDULED_AT"


def test_the_record_of_a_tick_belongs_to_the_task_and_tells_its_nominal_time() -> None:
    run = build_task_run("shop", "backup", "uid-1", name="backup-29539440", scheduled_at=REQUESTED)

    assert run["metadata"]["name"] == "backup-29539440"
    assert run["metadata"]["labels"]["timewright.dev/task"] == "backup"
    assert run["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    assert run["spec"] == {
        "taskRef": {"name": "backup"},
        "trigger": "Schedule",
        "scheduledAt": "2026-03-01T12:00:30Z",
    }


def test_a_tick_whose_nominal_time_is_not_known_claims_none() -> None:
    assert "scheduledAt" not in build_task_run("shop", "backup", "u", name="x", scheduled_at=None)["spec"]
