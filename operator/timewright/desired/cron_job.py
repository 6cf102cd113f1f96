"""ScheduledTask → CronJob."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from timewright.decisions.native_cron_job import NativeSchedule
from timewright.decisions.policies_of_spec import retry_of
from timewright.decisions.retries import wait_before_next_attempt
from timewright.desired import names
from timewright.desired.lenient import labelled, mapping
from timewright.desired.pod_template import generated_pod_template, instrumented_pod_template
from timewright.desired.runner_image import RunnerImage
from timewright.resources.scheduled_task import ScheduledTaskSpec

Manifest = dict[str, Any]

KEPT_UNTIL_RECORDED = 60
"""How many finished Jobs the native controller keeps beyond the user's limit.

They are the runs that an absent operator can still record when it returns; once recorded, the operator itself brings
them down to the user's limit. For a task that runs every minute this spans an hour.
"""

BACKSTOP_SECONDS = 60
"""How long after its own time-out an attempt of a runner that hangs is ended by the Job controller."""

_LONGEST = math.nextafter(1, 0)
"""The chance that makes a wait as long as it can be."""


def build_cron_job(
    namespace: str, name: str, uid: str, spec: ScheduledTaskSpec, schedule: NativeSchedule, runner: RunnerImage
) -> Manifest:
    """Return the CronJob that a task compiles into, as a manifest for server-side apply.

    `schedule` is what became of the spec's own when it was accepted.
    """
    body: dict[str, Any] = {
        "schedule": schedule.expression,
        "concurrencyPolicy": spec.concurrency_policy.value,
        "suspend": spec.suspend,
        "successfulJobsHistoryLimit": _raised(spec.successful_jobs_history_limit),
        "failedJobsHistoryLimit": _raised(spec.failed_jobs_history_limit),
        "jobTemplate": job_template(namespace, name, spec, runner),
    }
    if schedule.time_zone is not None:
        body["timeZone"] = schedule.time_zone
    if spec.starting_deadline_seconds is not None:
        body["startingDeadlineSeconds"] = spec.starting_deadline_seconds
    manifest: Manifest = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": names.cron_job_name(name),
            "namespace": namespace,
            "labels": names.labels(name),
            "ownerReferences": [names.owned_by_task(name, uid)],
        },
        "spec": body,
    }
    manifest["metadata"]["annotations"] = {names.APPLIED_ANNOTATION: digest(manifest)}
    return manifest


def digest(manifest: Manifest) -> str:
    """Return a short digest of a manifest, the same for the same content."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def time_to_live(spec: ScheduledTaskSpec) -> int | None:
    """Return the user's own `ttlSecondsAfterFinished`, which is held back until a run is recorded."""
    job = mapping((spec.job_template or {}).get("spec")) or {}
    value = job.get("ttlSecondsAfterFinished")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _raised(limit: int) -> int:
    return min(limit + KEPT_UNTIL_RECORDED, 2147483647)


def job_template(namespace: str, name: str, spec: ScheduledTaskSpec, runner: RunnerImage) -> Manifest:
    """Return the template of the Jobs of a task, whoever makes them."""
    template = spec.job_template
    if template is None:
        template = _generated_job_template(namespace, name, spec, runner)
    else:
        template = _instrumented_job_template(name, spec, template)
    return labelled(template, name)


def _instrumented_job_template(name: str, spec: ScheduledTaskSpec, template: Manifest) -> Manifest:
    given = mapping(template.get("spec"))
    if given is None:
        return template
    job = {key: value for key, value in given.items() if key != "ttlSecondsAfterFinished"}
    if isinstance(job.get("template"), dict):
        job["template"] = instrumented_pod_template(name, spec, job["template"])
    if spec.timeout_seconds is not None and job.get("activeDeadlineSeconds") is None:
        job["activeDeadlineSeconds"] = spec.timeout_seconds
    return {**template, "spec": job}


def _generated_job_template(namespace: str, name: str, spec: ScheduledTaskSpec, runner: RunnerImage) -> Manifest:
    # One failure is one failure: a second Pod would run the whole task, or all that was due in a minute, again.
    job: dict[str, Any] = {
        "backoffLimit": 0,
        "template": generated_pod_template(namespace, name, spec, runner),
    }
    if spec.timeout_seconds is not None:
        by_runner = spec.http is not None or spec.python is not None or (spec.command is not None and not spec.image)
        job["activeDeadlineSeconds"] = _deadline(spec, spec.timeout_seconds) if by_runner else spec.timeout_seconds
    return {"spec": job}


def _deadline(spec: ScheduledTaskSpec, timeout: int) -> int:
    """Return the seconds after which no runner can still be at work: every attempt times out, every wait is longest."""
    retry = retry_of(spec)
    waits = (wait_before_next_attempt(retry, failed, _LONGEST) or 0 for failed in range(1, retry.limit + 1))
    return min((1 + retry.limit) * (timeout + BACKSTOP_SECONDS) + math.ceil(sum(waits)), 2147483647)
