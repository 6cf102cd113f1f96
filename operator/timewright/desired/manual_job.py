"""TaskRun made by hand + CronJob → Job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from timewright.desired import names
from timewright.desired.environment import parameter_variables, replace_variables
from timewright.resources.definition import SCHEDULED_AT
from timewright.resources.model import format_time

Manifest = dict[str, Any]


def build_manual_job(
    cron_job: Manifest,
    *,
    run_name: str,
    run_uid: str,
    requested_at: datetime,
    parameters: Mapping[str, Any],
) -> Manifest:
    """Return the Job that runs a task now, from the template that its ticks use.

    `cron_job` is the live CronJob, so a task whose newest spec is refused runs what its ticks run. Like a Job of
    `kubectl create job --from=cronjob/…` it belongs to the CronJob, whose history limits and deletion cover it.
    `requested_at` is an aware instant: the run's nominal time. `parameters` are all values of the run.
    """
    template = cron_job["spec"]["jobTemplate"]
    metadata = template.get("metadata") or {}
    pod_template = template["spec"]["template"]
    pod_metadata = pod_template.get("metadata") or {}
    nominal = format_time(requested_at)
    variables = [{"name": SCHEDULED_AT, "value": nominal}, *parameter_variables(parameters)]
    pod = dict(pod_template["spec"])
    for field in ("initContainers", "containers"):
        if pod.get(field):
            pod[field] = [replace_variables(container, variables) for container in pod[field]]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.manual_job_name(run_name, run_uid),
            "namespace": cron_job["metadata"]["namespace"],
            "labels": metadata.get("labels") or {},
            "annotations": {
                **(metadata.get("annotations") or {}),
                "cronjob.kubernetes.io/instantiate": "manual",
                names.RUN_ANNOTATION: run_name,
            },
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": cron_job["metadata"]["name"],
                    "uid": cron_job["metadata"]["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            **template["spec"],
            "template": {
                "metadata": {
                    **pod_metadata,
                    "annotations": {
                        **(pod_metadata.get("annotations") or {}),
                        names.SCHEDULED_AT_ANNOTATION: nominal,
                    },
                },
                "spec": pod,
            },
        },
    }
