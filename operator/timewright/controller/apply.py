"""First step: the task's CronJob is what the task says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from timewright.cluster.api import CRON_JOBS, FIELD_MANAGER, ApiError, Manifest
from timewright.cluster.observe import observe_cron_job
from timewright.controller.context import Applied, Refusal, Sync
from timewright.decisions.acceptance import Accepted, Refused
from timewright.decisions.handover import WAS_RUNNING
from timewright.decisions.observed import ObservedCronJob
from timewright.desired import names
from timewright.desired.cron_job import build_cron_job
from timewright.resources.model import format_time
from timewright.resources.scheduled_task import CronJobStatus

RETRY_REFUSED = timedelta(minutes=10)
"""When a manifest that the API server refused is sent again, unchanged."""

RETRY_BLOCKED_SECONDS = 60.0
"""When to look again at what a quota, a policy or another CronJob of the same name stood against."""

_NEVER = datetime.min.replace(tzinfo=UTC)

NotReady = tuple[str, str]
"""A reason and a message: why a valid task could not be applied."""


async def apply_cron_job(sync: Sync) -> NotReady | None:
    """Apply the CronJob if it is missing, was edited, or the task has changed; else make no request.

    A manifest that the API server refuses turns the verdict into Refused, and what was applied before stays. Returns
    why a valid task could not be applied, if so.
    """
    verdict = sync.verdict
    if not isinstance(verdict, Accepted) or verdict.native is None:
        return None
    runner = sync.operator.configuration.runner
    manifest = build_cron_job(sync.key.namespace, sync.task.name, sync.task.uid, verdict.spec, verdict.native, runner)
    name = manifest["metadata"]["name"]
    found = sync.operator.store.cron_jobs.find(sync.key, name)
    ours = found is not None and found.controller_uid == sync.task.uid
    if found is not None and ours and is_current(found, manifest, sync.status.cron_job):
        return None
    if found is not None and (found.deleting or found.controller_uid not in (None, sync.task.uid)):
        # Our own, on its way out, or that of an earlier task of this name: the event of its end brings us back.
        sync.wake_in(RETRY_BLOCKED_SECONDS)
        return "NameTaken", f"CronJob {name!r} is about to be removed; it will be made anew once it is gone"
    digest = manifest["metadata"]["annotations"][names.APPLIED_ANNOTATION]
    if is_refused(sync, digest):
        return None
    try:
        if sync.status.watermark is not None and (found is None or found.handed_over):
            found = await _go_on_from_watermark(sync, manifest, found)
        answer = await _apply(sync, manifest, known=found is not None)
    except ApiError as error:
        return explain(sync, manifest, digest, error)
    if answer is None:
        sync.wake_in(RETRY_BLOCKED_SECONDS)
        return "NameTaken", (
            f"a CronJob named {name!r} exists that does not belong to this task; delete it "
            f"(kubectl delete cronjob {name}) or rename the task"
        )
    sync.operator.refused.pop(sync.task.uid, None)
    sync.operator.store.put_cron_job(answer)
    fresh = sync.operator.store.cron_jobs.find(sync.key, name)
    if fresh is not None and found is not None and fresh.uid == found.uid:
        # The answer is what we applied: the controller's part of the object is as it was.
        sync.operator.store.cron_jobs.revise(sync.key, replace(fresh, last_schedule_time=found.last_schedule_time))
    applied = CronJobStatus(name=name, generation=answer["metadata"]["generation"])
    sync.status = sync.status.model_copy(update={"cron_job": applied})
    sync.operator.note_applied(sync.task.uid, Applied(applied, sync.task.generation, sync.operator.clock()))
    return None


def is_current(found: ObservedCronJob, manifest: Manifest, recorded: CronJobStatus | None) -> bool:
    """Tell whether the CronJob is as it was last applied, and that is what is wanted.

    Its `metadata.generation` moves with every change of its spec, by whomever, so one that differs from what the
    task's status recorded is drift.
    """
    metadata = manifest["metadata"]
    return (
        recorded is not None
        and not found.deleting
        and found.handed_over is None
        and recorded.name == found.name
        and recorded.generation == found.generation
        and found.applied_digest == metadata["annotations"][names.APPLIED_ANNOTATION]
        and found.labels == metadata["labels"]
    )


async def _go_on_from_watermark(
    sync: Sync, manifest: Manifest, found: ObservedCronJob | None
) -> ObservedCronJob | None:
    """Have the native controller count from the last tick that something else decided, before it may start any.

    A CronJob that is to be resumed is suspended still; one that has to be made is made so. Returns None where the name
    is somebody else's.
    """
    api, namespace, watermark = sync.operator.api, sync.key.namespace, sync.status.watermark
    found = found or await _made_suspended(sync, manifest)
    if found is None or watermark is None or (found.last_schedule_time or _NEVER) >= watermark:
        return found
    body = {"status": {"lastScheduleTime": format_time(watermark)}}
    answer = await api.merge_patch(CRON_JOBS, namespace, found.name, body, "status")
    sync.operator.store.put_cron_job(answer)
    return observe_cron_job(answer)


async def _made_suspended(sync: Sync, manifest: Manifest) -> ObservedCronJob | None:
    """Create the CronJob suspended, or return our own that the watch does not show yet."""
    api, metadata = sync.operator.api, manifest["metadata"]
    annotations = {**metadata["annotations"], names.HANDED_OVER_ANNOTATION: WAS_RUNNING}
    spec = {**manifest["spec"], "suspend": True}
    try:
        answer = await api.create_as_given(
            CRON_JOBS, {**manifest, "metadata": {**metadata, "annotations": annotations}, "spec": spec}
        )
    except ApiError as error:
        if not error.conflict:
            raise
        answer = await api.get(CRON_JOBS, metadata["namespace"], metadata["name"])
    found = observe_cron_job(answer)
    if found.controller_uid != sync.task.uid:
        return None
    sync.operator.store.put_cron_job(answer)
    return found


async def _apply(sync: Sync, manifest: Manifest, *, known: bool) -> Manifest | None:
    """Create or apply the manifest; return None if the name belongs to a CronJob that is not this task's.

    The watch shows only CronJobs with our label, so one that is not known may yet exist. To take over somebody else's
    would be silent where its fields happen to be the same, so the first request only creates. It is a plain creation,
    which costs the API server a third less than server-side apply does.
    """
    api, name = sync.operator.api, manifest["metadata"]["name"]
    if not known:
        try:
            return await api.create_as_given(CRON_JOBS, manifest)
        except ApiError as error:
            if not error.conflict:
                raise
    try:
        live = await api.get(CRON_JOBS, sync.key.namespace, name)
    except ApiError as error:
        if not error.not_found:
            raise
        return await api.create_as_given(CRON_JOBS, manifest)
    if not known:
        owners = live["metadata"].get("ownerReferences") or []
        if not any(owner.get("controller") and owner["uid"] == sync.task.uid for owner in owners):
            return None
    fields = fields_handed_to_apply(live["metadata"].get("managedFields") or [])
    if fields is not None:
        metadata = {"resourceVersion": live["metadata"]["resourceVersion"], "managedFields": fields}
        await api.merge_patch(CRON_JOBS, sync.key.namespace, name, {"metadata": metadata})
    return await api.apply(CRON_JOBS, manifest)


def fields_handed_to_apply(managed: list[Manifest]) -> list[Manifest] | None:
    """Return the owners of fields with what we set by other writes given to our applies; None if it has been already.

    Else an apply could change those fields but never remove one. client-go does the same for whoever comes to
    server-side apply late (k8s.io/client-go/util/csaupgrade).
    """
    ours = [each for each in managed if each.get("manager") == FIELD_MANAGER and not each.get("subresource")]
    if all(each.get("operation") == "Apply" for each in ours):
        return None
    fields: Manifest = {}
    for each in ours:
        fields = _united(fields, each.get("fieldsV1") or {})
    handed = {**ours[0], "operation": "Apply", "fieldsV1": fields}
    return [handed if each is ours[0] else each for each in managed if each is ours[0] or each not in ours]


def _united(one: Manifest, other: Manifest) -> Manifest:
    """Return the union of two sets of fields, which are trees of names."""
    return {key: _united(one.get(key) or {}, other.get(key) or {}) for key in {**one, **other}}


def is_refused(sync: Sync, digest: str) -> bool:
    """Tell whether the API server has refused that very manifest not long ago; if so, so is the task."""
    refusal = sync.operator.refused.get(sync.task.uid)
    if refusal is None or refusal.digest != digest or sync.now >= refusal.until:
        return False
    _refuse(sync, refusal)
    return True


def explain(sync: Sync, manifest: Manifest, digest: str, error: ApiError) -> NotReady | None:
    """Tell why a manifest could not be applied; one that the API server found wrong turns the verdict into Refused.

    Raises:
        ApiError: the same, when it may pass by itself.

    """
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if error.refused:
        message = f"the API server refuses the {kind} that this task makes: {error.message}; correct the field it names"
        refusal = Refusal(digest, message, sync.now + RETRY_REFUSED)
        sync.operator.refused[sync.task.uid] = refusal
        _refuse(sync, refusal)
        return None
    if error.namespace_ends:
        return "NamespaceEnds", "the namespace is being removed, and the task with it"
    if error.forbidden:
        sync.wake_in(RETRY_BLOCKED_SECONDS)
        return "Forbidden", f"{kind} {name!r} may not be applied now: {error.message}"
    raise error


def _refuse(sync: Sync, refusal: Refusal) -> None:
    sync.verdict = Refused("InvalidTemplate", refusal.message)
    sync.wake_at(refusal.until)
