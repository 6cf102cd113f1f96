"""API objects → what decisions look at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from timewright.decisions.observed import (
    ObservedContainer,
    ObservedCronJob,
    ObservedDeployment,
    ObservedJob,
    ObservedPod,
    ObservedRun,
)
from timewright.desired import names
from timewright.resources.model import parse_time
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome, Phase, Trigger

Manifest = dict[str, Any]

_SCHEDULED_TIMESTAMP = "batch.kubernetes.io/cronjob-scheduled-timestamp"
"""Written by the CronJob controller on each Job: the tick, in the CronJob's time zone."""

_Word = TypeVar("_Word", Outcome, Phase, Trigger)

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def observe_job(body: Manifest) -> ObservedJob:
    """Reduce a batch/v1 Job."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    annotations = metadata.get("annotations") or {}
    ended = {each["type"]: each for each in status.get("conditions") or [] if each.get("status") == "True"}
    complete, failed = ended.get("Complete"), ended.get("Failed")
    end = complete or failed
    return ObservedJob(
        name=metadata["name"],
        uid=metadata["uid"],
        created_at=_created(metadata),
        controller_uid=_controller_uid(metadata),
        run_name=annotations.get(names.RUN_ANNOTATION),
        scheduled_at=_time(annotations.get(_SCHEDULED_TIMESTAMP)),
        start_time=_time(status.get("startTime")),
        finished_at=_time(status.get("completionTime") or (end or {}).get("lastTransitionTime")) if end else None,
        succeeded=bool(complete) if end else None,
        failure_reason=(failed or {}).get("reason") or "",
        failure_message=(failed or {}).get("message") or "",
        ready=status.get("ready") or 0,
        time_to_live=spec.get("ttlSecondsAfterFinished"),
        active_deadline=spec.get("activeDeadlineSeconds"),
        suspended=bool(spec.get("suspend")),
        daemon=_daemon(metadata),
        deleting="deletionTimestamp" in metadata,
    )


def observe_cron_job(body: Manifest) -> ObservedCronJob:
    """Reduce a batch/v1 CronJob."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    return ObservedCronJob(
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation") or 0,
        created_at=_created(metadata),
        controller_uid=_controller_uid(metadata),
        labels={key: value for key, value in (metadata.get("labels") or {}).items() if key in _OUR_LABELS},
        applied_digest=(metadata.get("annotations") or {}).get(names.APPLIED_ANNOTATION),
        last_schedule_time=_time(status.get("lastScheduleTime")),
        schedule=spec.get("schedule") or "",
        time_zone=spec.get("timeZone"),
        suspended=bool(spec.get("suspend")),
        forbids_overlap=spec.get("concurrencyPolicy") == ConcurrencyPolicy.FORBID,
        handed_over=(metadata.get("annotations") or {}).get(names.HANDED_OVER_ANNOTATION),
        deleting="deletionTimestamp" in metadata,
    )


_OUR_LABELS = (names.MANAGED_BY_LABEL, names.TASK_LABEL)


def observe_run(body: Manifest) -> ObservedRun:
    """Reduce a TaskRun."""
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    outcome = _word(Outcome, status.get("outcome"))
    return ObservedRun(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        task_name=spec["taskRef"]["name"],
        created_at=_created(metadata),
        trigger=_word(Trigger, spec.get("trigger")) or Trigger.MANUAL,
        owner_uid=_controller_uid(metadata),
        labelled=names.TASK_LABEL in (metadata.get("labels") or {}),
        daemon=_daemon(metadata),
        is_counted=names.COUNTED_ANNOTATION in (metadata.get("annotations") or {}),
        deleting="deletionTimestamp" in metadata,
        scheduled_at=_time(spec.get("scheduledAt")),
        parameters=spec.get("parameters") if outcome is None else None,
        idempotency_key=spec.get("idempotencyKey"),
        override=bool(spec.get("override")),
        phase=_word(Phase, status.get("phase")),
        outcome=outcome,
        job_name=status.get("jobName"),
        job_uid=status.get("jobUid"),
        completion_time=_time(status.get("completionTime")),
        status=status if outcome is None else {},
    )


def observe_deployment(body: Manifest) -> ObservedDeployment:
    """Reduce an apps/v1 Deployment."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    generation = metadata.get("generation") or 0
    unmet = [each for each in map(conditions.get, ("ReplicaFailure", "Progressing")) if each]
    return ObservedDeployment(
        name=metadata["name"],
        uid=metadata["uid"],
        generation=generation,
        controller_uid=_controller_uid(metadata),
        wanted=spec.get("replicas", 1),
        replicas=status.get("replicas") or 0,
        ready=status.get("readyReplicas") or 0,
        available=(conditions.get("Available") or {}).get("status") == "True"
        and status.get("observedGeneration") == generation,
        message=next((each.get("message") or "" for each in unmet if _tells_of_trouble(each)), ""),
        deleting="deletionTimestamp" in metadata,
    )


def _tells_of_trouble(condition: Manifest) -> bool:
    return (condition.get("status") == "True") == (condition.get("type") == "ReplicaFailure")


def observe_pod(body: Manifest) -> ObservedPod:
    """Reduce a Pod of a Job."""
    metadata, status = body["metadata"], body.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    disruption, scheduled = conditions.get("DisruptionTarget") or {}, conditions.get("PodScheduled") or {}
    statuses = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    return ObservedPod(
        name=metadata["name"],
        created_at=_created(metadata),
        phase=status.get("phase") or "",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        disruption=disruption.get("reason") or "" if disruption.get("status") == "True" else "",
        unschedulable=scheduled.get("message") or "" if scheduled.get("reason") == "Unschedulable" else "",
        containers=tuple(_observe_container(each) for each in statuses),
    )


def _observe_container(status: Manifest) -> ObservedContainer:
    state = status.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if not ended and waiting:
        ended = (status.get("lastState") or {}).get("terminated") or {}
    return ObservedContainer(
        name=status.get("name") or "",
        waiting_reason=waiting.get("reason"),
        waiting_message=waiting.get("message") or "",
        exit_code=ended.get("exitCode"),
        signal=ended.get("signal"),
        terminated_reason=ended.get("reason") or "",
        message=ended.get("message") or "",
        started_at=_time(ended.get("startedAt")),
        finished_at=_time(ended.get("finishedAt")),
    )


def _daemon(metadata: Manifest) -> str | None:
    daemon: str | None = (metadata.get("labels") or {}).get(names.DAEMON_LABEL)
    return daemon


def _created(metadata: Manifest) -> datetime:
    return _time(metadata.get("creationTimestamp")) or _BEGINNING


def _controller_uid(metadata: Manifest) -> str | None:
    owners = metadata.get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _time(text: str | None) -> datetime | None:
    """Read a timestamp; one that another writer has spoilt counts as absent rather than stopping everything."""
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        return None


def _word(kind: type[_Word], text: str | None) -> _Word | None:
    try:
        return kind(text) if text else None
    except ValueError:
        return None


def edited_at(metadata: Manifest) -> int:
    """Return when an object was last edited, in UTC seconds: anything but its status, as far as is known."""
    edits = [each.get("time") for each in metadata.get("managedFields") or [] if not each.get("subresource")]
    instants = [parse_time(each) for each in (metadata.get("creationTimestamp"), *edits) if each]
    return int(max(instants, default=_BEGINNING).timestamp())
