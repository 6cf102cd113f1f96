"""Tick or request + template → Job that a daemon makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from timewright.desired import names
from timewright.desired.environment import parameter_variables, replace_variables
from timewright.resources.model import format_time

Manifest = dict[str, Any]

SCHEDULED_TIMESTAMP = "batch.kubernetes.io/cronjob-scheduled-timestamp"
"""What the native controller writes on the Job of a tick: its nominal time."""


def tick_run_name(task_name: str, tick: int) -> str:
    """Return the name of the run of a tick, its TaskRun and its Job; a tick is in UTC seconds.

    At a full minute it is that of the native controller, so that a tick has one name in every mode.
    """
    number = tick // 60 if tick % 60 == 0 else tick
    return f"{names.cron_job_name(task_name)}-{number}"


def build_tick_job(
    template: Manifest,
    *,
    name: str,
    namespace: str,
    task_name: str,
    task_uid: str,
    daemon: str,
    scheduled_at: int,
    run_name: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Manifest:
    """Return the Job of one run.

    Args:
        template: the task's, as `cron_job.job_template` returns it.
        name: of the Job.
        namespace: of the task.
        task_name: of the task, which the Job belongs to.
        task_uid: of the task.
        daemon: name of the TaskDaemon that makes it and settles its run.
        scheduled_at: the nominal time, in UTC seconds.
        run_name: for a run by hand, the name of its TaskRun.
        parameters: for a run by hand, all its values.

    """
    metadata, spec = template.get("metadata") or {}, template["spec"]
    nominal = format_time(datetime.fromtimestamp(scheduled_at, UTC))
    own = {SCHEDULED_TIMESTAMP: nominal} if run_name is None else {names.RUN_ANNOTATION: run_name}
    pod_template = spec.get("template")
    if isinstance(pod_template, dict):
        spec = {**spec, "template": _told(pod_template, nominal, parameters)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**(metadata.get("labels") or {}), names.DAEMON_LABEL: daemon},
            "annotations": {**(metadata.get("annotations") or {}), **own},
            "ownerReferences": [names.owned_by_task(task_name, task_uid)],
        },
        "spec": spec,
    }


def _told(template: Manifest, nominal: str, parameters: Mapping[str, Any] | None) -> Manifest:
    """Return a Pod template that tells its nominal time and the run's own parameters."""
    metadata, pod = template.get("metadata") or {}, template.get("spec") or {}
    if parameters:
        pod = dict(pod)
        variables = parameter_variables(parameters)
        for field in ("initContainers", "containers"):
            if pod.get(field):
                pod[field] = [replace_variables(container, variables) for container in pod[field]]
    annotations = {**(metadata.get("annotations") or {}), names.SCHEDULED_AT_ANNOTATION: nominal}
    return {**template, "metadata": {**metadata, "annotations": annotations}, "spec": pod}
