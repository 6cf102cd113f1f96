"""Brings one TaskDaemon to its desired state, and sees to it that a namespace has the default one while it needs it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from timewright.cluster.api import (
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    TASK_DAEMONS,
    ApiError,
    Manifest,
    Resource,
)
from timewright.controller.context import Operator
from timewright.controller.daemons import DaemonKey, DaemonRecord
from timewright.controller.ensure import LOOK_AGAIN, NameTakenError, ensure
from timewright.decisions.acceptance import describe
from timewright.decisions.daemon_status import daemon_ready, daemon_status
from timewright.desired import names
from timewright.desired.contained import contained
from timewright.desired.daemon_deployment import build_daemon_deployment
from timewright.desired.daemon_disruption_budget import build_daemon_disruption_budget
from timewright.desired.daemon_object import DaemonIdentity
from timewright.desired.daemon_role import build_daemon_role, build_daemon_role_binding
from timewright.desired.daemon_service_account import build_daemon_service_account
from timewright.desired.default_daemon import build_default_daemon, is_made_by_operator
from timewright.resources.model import API_VERSION
from timewright.resources.task_daemon import DEFAULT_DAEMON, TaskDaemonSpec, TaskDaemonStatus

IDLE = timedelta(minutes=1)
"""How long the default daemon stays without a task: tasks that are replaced come back at once."""

RETRY_SECONDS = 60.0
"""When to look again at what somebody else has to put right."""

Trouble = tuple[str, str]
"""A reason and a message: why a TaskDaemon is not what it says."""


async def reconcile_daemon(operator: Operator, key: DaemonKey) -> float | None:
    """Bring a TaskDaemon to its desired state; return after how many seconds it wants to be looked at again.

    Raises:
        ApiError: when a request failed in a way that may pass; the caller tries again later.

    """
    record = operator.store.daemons.records.get(key)
    if record is None:
        for resource in (SERVICE_ACCOUNTS, ROLES, ROLE_BINDINGS, DISRUPTION_BUDGETS, DEPLOYMENTS):
            operator.verified.pop((resource.plural, key.namespace, names.daemon_object_name(key.name)), None)
        if key.name == DEFAULT_DAEMON and _is_needed(operator, key) and await _make_default(operator, key):
            return 0.0  # the watch will bring no news of what the answer has told already
        return None
    if record.deleting:
        return None
    if is_made_by_operator(record.labels) and not _is_needed(operator, key):
        left = IDLE.total_seconds() - operator.waited("idle", record.uid)
        if left > 0:
            return left
        await operator.api.delete(TASK_DAEMONS, key.namespace, key.name, record.uid)
        operator.waits_no_more("idle", record.uid)
        return None
    operator.waits_no_more("idle", record.uid)
    raw_spec, raw_status = record.parts()
    try:
        spec = TaskDaemonSpec.model_validate(raw_spec)
    except ValidationError as error:
        trouble: Trouble | None = ("InvalidSpec", describe(error))
    else:
        trouble = await _make_objects(operator, key, record, spec)
    await _write_status(operator, key, record, raw_status, trouble)
    return LOOK_AGAIN.total_seconds() if trouble is None else RETRY_SECONDS


def _is_needed(operator: Operator, key: DaemonKey) -> bool:
    """Tell whether any task names a daemon or is decided by it, or any run still waits for it to tell how it ended."""
    if operator.store.daemons.has_tasks(key):
        return True
    return any(
        run.daemon == key.name and not run.finished and task.namespace == key.namespace
        for task, run in operator.store.runs.all()
    )


async def _make_default(operator: Operator, key: DaemonKey) -> bool:
    """Create the default TaskDaemon; tell whether it was created."""
    try:
        answer = await operator.api.create(TASK_DAEMONS, build_default_daemon(key.namespace))
    except ApiError as error:
        # Somebody has just made one, or the namespace ends: either way there is nothing to do.
        if not (error.conflict or error.namespace_ends):
            raise
        return False
    operator.store.put_daemon(answer)
    return True


async def _make_objects(
    operator: Operator, key: DaemonKey, record: DaemonRecord, spec: TaskDaemonSpec
) -> Trouble | None:
    """Make all that a TaskDaemon is made of; what its Pods need comes before them."""
    deployment = operator.store.deployment(key.namespace, names.daemon_object_name(key.name))
    generation = deployment.generation if deployment is not None else 0
    for resource, manifest in _objects(operator, key, record, spec):
        try:
            await ensure(operator, resource, manifest, generation if resource is DEPLOYMENTS else 0)
        except NameTakenError as error:
            return "NameTaken", str(error)
        except ApiError as error:
            if error.namespace_ends:
                return "NamespaceEnds", "the namespace is being removed, and the daemon with it"
            if error.refused:
                return "InvalidTemplate", (
                    f"the API server refuses the {manifest['kind']} that this TaskDaemon makes: {error.message}; "
                    "correct the field it names"
                )
            if error.forbidden:
                return "Forbidden", f"{manifest['kind']} may not be made now: {error.message}"
            raise
    return None


def _objects(
    operator: Operator, key: DaemonKey, record: DaemonRecord, spec: TaskDaemonSpec
) -> list[tuple[Resource, Manifest]]:
    daemon = DaemonIdentity(key.namespace, key.name, record.uid)
    account = build_daemon_service_account(daemon, spec)
    secrets = operator.store.daemons.secrets(key)
    configuration = operator.configuration
    own = configuration.daemon or configuration.runner
    return [
        *([] if account is None else [(SERVICE_ACCOUNTS, account)]),
        (ROLES, build_daemon_role(daemon)),
        (ROLE_BINDINGS, build_daemon_role_binding(daemon, spec)),
        (DISRUPTION_BUDGETS, build_daemon_disruption_budget(daemon)),
        (DEPLOYMENTS, build_daemon_deployment(daemon, spec, secrets, own=own, runner=configuration.runner)),
    ]


async def _write_status(
    operator: Operator, key: DaemonKey, record: DaemonRecord, raw_status: dict[str, Any], trouble: Trouble | None
) -> None:
    """Write the operator's part of the status if it differs; the daemon writes the rest of it."""
    deployment = operator.store.deployment(key.namespace, names.daemon_object_name(key.name))
    old = TaskDaemonStatus.model_validate(raw_status)
    ready = daemon_ready(deployment, trouble, record.generation, operator.clock())
    status = daemon_status(old, deployment, ready, record.generation)
    if contained(status, _ours(raw_status)):
        return
    body = {
        "apiVersion": API_VERSION,
        "kind": "TaskDaemon",
        "metadata": {"name": key.name, "namespace": key.namespace},
        "status": status,
    }
    try:
        await operator.api.apply_status(TASK_DAEMONS, body)
    except ApiError as error:
        if not error.not_found:
            raise


def _ours(raw_status: dict[str, Any]) -> dict[str, Any]:
    conditions = [each for each in raw_status.get("conditions") or [] if each.get("type") == "Ready"]
    return {**raw_status, "conditions": conditions}
