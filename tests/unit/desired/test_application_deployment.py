"""An application that keeps running: one Pod, which is no run of anything."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.desired.fixtures import RUNNER
from timewright.desired.application_deployment import build_application_deployment
from timewright.desired.names import application_name
from timewright.resources.scheduled_task import ScheduledTaskSpec

WORK = ["php", "artisan", "schedule:work"]


def deployment(**fields: Any) -> dict[str, Any]:
    app = {"run": ["php", "artisan", "schedule:run"], "work": WORK}
    spec = ScheduledTaskSpec.model_validate({"mode": "Daemon", "image": "shop:1", "app": app, **fields})
    return build_application_deployment("shop", "laravel", "uid-1", spec, RUNNER)


def pod(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = deployment(**fields)["spec"]["template"]["spec"]
    return found


def test_its_work_command_runs_in_its_image() -> None:
    (container,) = pod()["containers"]

    assert (container["image"], container["command"]) == ("shop:1", WORK)


def test_there_are_never_two_of_it() -> None:
    made = deployment()["spec"]

    assert (made["replicas"], made["strategy"]) == (1, {"type": "Recreate"})


def test_a_suspended_one_has_no_pod() -> None:
    assert deployment(suspend=True)["spec"]["replicas"] == 0


def test_it_starts_again_when_it_ends_whatever_its_jobs_would_do() -> None:
    assert pod()["restartPolicy"] == "Always"
    assert pod(podTemplate={"spec": {"restartPolicy": "OnFailure"}})["restartPolicy"] == "Always"


def test_it_is_told_its_task_and_of_no_run() -> None:
    (container,) = pod(env=[{"name": "A", "value": "1"}])["containers"]
    told = {each["name"]: each.get("value") for each in container["env"]}

    assert told == {"TIMEWRIGHT_TASK": "laravel", "A": "1"}


def test_it_selects_its_own_pod_and_none_of_a_job() -> None:
    made = deployment()["spec"]
    labels = made["template"]["metadata"]["labels"]

    assert made["selector"]["matchLabels"].items() <= labels.items()
    assert labels["app.kubernetes.io/component"] == "application"
    assert labels["timewright.dev/task"] == "laravel"


def test_it_goes_with_its_task() -> None:
    (owner,) = deployment()["metadata"]["ownerReferences"]

    assert (owner["kind"], owner["uid"], owner["controller"]) == ("ScheduledTask", "uid-1", True)


@pytest.mark.parametrize("template", [{"metadata": None}, {"spec": None}, {"metadata": {"labels": None}}])
def test_an_odd_pod_template_is_left_to_the_api_server(template: dict[str, Any]) -> None:
    assert deployment(podTemplate=template)["kind"] == "Deployment"


def test_without_a_work_command_there_is_nothing_to_keep() -> None:
    with pytest.raises(ValueError, match="work command"):
        deployment(app={"run": ["true"]})


def test_long_names_stay_apart() -> None:
    first, second = application_name("a" * 62), application_name("a" * 61 + "b")

    assert first != second
    assert len(first) <= 63
