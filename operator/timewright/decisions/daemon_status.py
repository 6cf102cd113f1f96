"""What does a TaskDaemon's status say of its Pods?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from timewright.decisions.observed import ObservedDeployment
from timewright.resources.conditions import Condition, condition, merge_conditions
from timewright.resources.task_daemon import TaskDaemonStatus


def daemon_ready(
    deployment: ObservedDeployment | None, trouble: tuple[str, str] | None, generation: int, now: datetime
) -> Condition:
    """Return the condition Ready. `trouble` is a reason and a message where the daemon could not be made as it says."""

    def ready(status: bool, reason: str, message: str) -> Condition:
        return condition("Ready", status, reason, message, now=now, generation=generation)

    if trouble is not None:
        return ready(False, *trouble)
    if deployment is None:
        return ready(False, "Starting", "its Deployment has just been made")
    if deployment.wanted == 0:
        return ready(False, "Stopped", "spec.replicas is 0, so its tasks do not run")
    if deployment.ready == 0:
        return ready(False, "PodsNotReady", deployment.message or "none of its Pods is ready yet")
    return ready(True, "PodsReady", "its Pods are ready")


def daemon_status(
    old: TaskDaemonStatus, deployment: ObservedDeployment | None, ready: Condition, generation: int
) -> dict[str, Any]:
    """Return the parts of the status that the operator tells, as a manifest."""
    before = [each for each in old.conditions if each.type == ready.type]
    conditions = merge_conditions(before, [ready])
    return {
        "observedGeneration": generation,
        "replicas": deployment.replicas if deployment is not None else 0,
        "readyReplicas": deployment.ready if deployment is not None else 0,
        "conditions": [each.to_manifest() for each in conditions],
    }
