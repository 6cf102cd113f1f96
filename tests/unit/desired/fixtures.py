"""Tasks to build from."""

from __future__ import annotations

from typing import Any

from timewright.decisions.acceptance import Accepted, accept
from timewright.desired.cron_job import build_cron_job
from timewright.desired.runner_image import RunnerImage
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.timetable.spread import seed_of_task

RUNNER = RunnerImage("timewright:1.0")

HTTP: dict[str, Any] = {
    "schedule": "@hourly",
    "http": {
        "method": "POST",
        "url": "https://shop.example/import",
        "headers": [
            {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}},
            {"name": "X-Again", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}},
            {"name": "X-Plain", "value": "plain"},
        ],
    },
}
COMMAND: dict[str, Any] = {"schedule": "@hourly", "command": ["sh", "-c", "date"]}
PYTHON: dict[str, Any] = {"schedule": "@hourly", "image": "shop", "python": {"call": "shop.tasks:main"}}
APP: dict[str, Any] = {"image": "shop", "app": {"run": ["php", "artisan", "schedule:run"]}}
IN_IMAGE: dict[str, Any] = {**COMMAND, "image": "busybox"}
JOB: dict[str, Any] = {
    "schedule": "@hourly",
    "jobTemplate": {
        "spec": {
            "template": {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "main", "image": "busybox"}]}}
        }
    },
}
KINDS = {"http": HTTP, "command": COMMAND, "python": PYTHON, "app": APP, "command in an image": IN_IMAGE, "job": JOB}


def accepted(raw: dict[str, Any]) -> ScheduledTaskSpec:
    verdict = accept(raw)
    assert isinstance(verdict, Accepted), verdict
    return verdict.spec


def cron_job(raw: dict[str, Any], name: str = "backup", runner: RunnerImage = RUNNER) -> dict[str, Any]:
    verdict = accept(raw, seed=seed_of_task("shop", name))
    assert isinstance(verdict, Accepted), verdict
    assert verdict.native is not None
    return build_cron_job("shop", name, "uid-1", verdict.spec, verdict.native, runner)


def pod_of(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the Pod's spec of the CronJob of a task."""
    pod: dict[str, Any] = cron_job(raw)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return pod


def container_of(raw: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = pod_of(raw)["containers"][0]
    return container


def variables_of(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in container.get("env", [])}
