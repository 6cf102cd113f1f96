"""TaskDaemon → ServiceAccount."""

from __future__ import annotations

from timewright.desired.daemon_object import DaemonIdentity, Manifest
from timewright.resources.task_daemon import TaskDaemonSpec


def build_daemon_service_account(daemon: DaemonIdentity, spec: TaskDaemonSpec) -> Manifest | None:
    """Return the ServiceAccount of the daemon's Pods, or None where the TaskDaemon names one that it takes instead."""
    return None if spec.service_account_name is not None else daemon.manifest("v1", "ServiceAccount", {})
