"""TaskDaemon → PodDisruptionBudget."""

from __future__ import annotations

from timewright.desired import names
from timewright.desired.daemon_object import DaemonIdentity, Manifest


def build_daemon_disruption_budget(daemon: DaemonIdentity) -> Manifest:
    """Return the budget by which a drain takes the daemon's Pods one at a time.

    It says how many may be away rather than how many must be there: with one replica the latter would let no node be
    drained, while the only Pod hands its tasks to its successor whatever ends it.
    """
    selector = {"matchLabels": names.daemon_labels(daemon.name)}
    content = {"spec": {"maxUnavailable": 1, "selector": selector}}
    return daemon.manifest("policy/v1", "PodDisruptionBudget", content)
