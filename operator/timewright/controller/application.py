"""An application that keeps running, in a Deployment of its own: the operator makes it, watches it and removes it."""

from __future__ import annotations

from timewright.cluster.api import DEPLOYMENTS, PODS, ApiError
from timewright.cluster.observe import observe_pod
from timewright.controller.apply import NotReady, explain, is_refused
from timewright.controller.context import Sync
from timewright.controller.ensure import NameTakenError, ensure, is_controlled_by
from timewright.decisions.acceptance import Accepted
from timewright.decisions.application_health import application_health
from timewright.decisions.observed import ObservedPod
from timewright.decisions.status import with_conditions
from timewright.desired import names
from timewright.desired.application_deployment import COMPONENT, build_application_deployment
from timewright.desired.cron_job import digest
from timewright.resources.scheduled_task import DeploymentStatus

RETRY_BLOCKED_SECONDS = 60.0
"""When to look again at a name that somebody else has."""

WATCH_SECONDS = 30.0
"""How often the Pods of an application that does not work are asked what keeps them."""

STOPPING_SECONDS = 1.0
"""How often to look whether a Pod that is to end has ended."""


async def keep_application(sync: Sync) -> NotReady | None:
    """Make the Deployment what the task says; return why that could not be done, if so."""
    if not isinstance(sync.verdict, Accepted):
        return None
    operator, task = sync.operator, sync.task
    runner = operator.configuration.runner
    manifest = build_application_deployment(sync.key.namespace, task.name, task.uid, sync.verdict.spec, runner)
    found = operator.store.deployment(sync.key.namespace, manifest["metadata"]["name"])
    mark = digest(manifest)
    if is_refused(sync, mark):
        return None
    try:
        await ensure(operator, DEPLOYMENTS, manifest, found.generation if found is not None else 0)
    except NameTakenError as error:
        sync.wake_in(RETRY_BLOCKED_SECONDS)
        return "NameTaken", str(error)
    except ApiError as error:
        return explain(sync, manifest, mark, error)
    operator.refused.pop(task.uid, None)
    return None


async def tell_of_application(sync: Sync) -> None:
    """Put into the status how the application does."""
    name = names.application_name(sync.task.name)
    found = sync.operator.store.deployment(sync.key.namespace, name)
    well = found is None or found.wanted == 0 or (found.available and found.ready > 0)
    pods = [] if well or (found is not None and not found.replicas) else await _pods(sync)
    if not well:
        sync.wake_in(WATCH_SECONDS)
    ready = found is not None and found.ready > 0
    health = application_health(found, pods, sync.task.generation, sync.now)
    status = with_conditions(sync.status, [health])
    sync.status = status.model_copy(update={"deployment": DeploymentStatus(name=name, ready=ready)})


async def stop_application(sync: Sync) -> bool:
    """Remove the Deployment; tell whether it and its Pods are gone, so that nothing of it runs any more."""
    name = names.application_name(sync.task.name)
    api, namespace = sync.operator.api, sync.key.namespace
    try:
        live = await api.get(DEPLOYMENTS, namespace, name)
    except ApiError as error:
        if not error.not_found:
            raise
        live = None
    if live is not None and is_controlled_by(live, sync.task.uid):
        await api.delete(DEPLOYMENTS, namespace, name, live["metadata"]["uid"])
        sync.operator.verified.pop((DEPLOYMENTS.plural, namespace, name), None)
    elif not await _pods(sync):
        return True
    sync.wake_in(STOPPING_SECONDS)
    return False


async def _pods(sync: Sync) -> list[ObservedPod]:
    """Return the application's Pods that have not ended."""
    labels = {**names.labels(sync.task.name), **COMPONENT}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pages = sync.operator.api.list_all(PODS, sync.key.namespace, selector)
    pods = [observe_pod(body) async for page in pages for body in page]
    return [each for each in pods if each.phase not in ("Succeeded", "Failed")]
