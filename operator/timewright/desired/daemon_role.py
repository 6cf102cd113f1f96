"""TaskDaemon → Role and RoleBinding: what the daemon may do in its own namespace, and nothing else."""

from __future__ import annotations

from typing import Any

from timewright.desired.daemon_object import DaemonIdentity, Manifest
from timewright.resources.group import GROUP
from timewright.resources.task_daemon import TaskDaemonSpec

_RBAC = "rbac.authorization.k8s.io"


def build_daemon_role(daemon: DaemonIdentity) -> Manifest:
    """Return the daemon's Role. The operator has to hold every one of its permissions, or it may not grant them."""
    return daemon.manifest(f"{_RBAC}/v1", "Role", {"rules": _rules(daemon)})


def build_daemon_role_binding(daemon: DaemonIdentity, spec: TaskDaemonSpec) -> Manifest:
    """Return what binds the Role to the ServiceAccount of the daemon's Pods."""
    account = spec.service_account_name or daemon.object_name
    content = {
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": daemon.object_name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": daemon.namespace}],
    }
    return daemon.manifest(f"{_RBAC}/v1", "RoleBinding", content)


def _rules(daemon: DaemonIdentity) -> list[dict[str, Any]]:
    return [
        _rule(GROUP, "scheduledtasks", "get", "list", "watch"),
        _rule(GROUP, "scheduledtasks/status", "get", "patch"),
        # Lets it own objects where OwnerReferencesPermissionEnforcement is on.
        _rule(GROUP, "scheduledtasks/finalizers", "update"),
        _rule(GROUP, "taskruns", "get", "list", "watch", "create", "patch", "delete"),
        _rule(GROUP, "taskruns/status", "get", "patch"),
        _rule(GROUP, "taskdaemons", "get", only=daemon.name),
        _rule(GROUP, "taskdaemons/status", "get", "patch", only=daemon.name),
        _rule("batch", "jobs", "get", "list", "watch", "create", "patch", "delete"),
        _rule("", "pods", "list"),
        _rule("events.k8s.io", "events", "create", "patch"),
        _rule("coordination.k8s.io", "leases", "get", "update", only=daemon.object_name),
        # RBAC cannot bind `create` to a name.
        _rule("coordination.k8s.io", "leases", "create"),
    ]


def _rule(group: str, resource: str, *verbs: str, only: str | None = None) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return rule if only is None else {**rule, "resourceNames": [only]}
