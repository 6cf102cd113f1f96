"""How does an application do that is kept running?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from timewright.decisions.observed import ObservedDeployment, ObservedPod
from timewright.resources.conditions import Condition, condition


def application_health(
    deployment: ObservedDeployment | None, pods: Sequence[ObservedPod], generation: int, now: datetime
) -> Condition:
    """Return the condition Healthy of a task whose application is kept running. `pods` are those of its Deployment."""

    def healthy(status: bool | None, reason: str, message: str) -> Condition:
        return condition("Healthy", status, reason, message, now=now, generation=generation)

    if deployment is None:
        return healthy(None, "Starting", "its Deployment has just been made")
    if deployment.wanted == 0:
        return healthy(None, "Suspended", "the task is suspended, so its application is stopped")
    if deployment.available and deployment.ready:
        return healthy(True, "Working", "its work command is running")
    trouble = next(filter(None, map(_trouble, pods)), deployment.message)
    if trouble:
        return healthy(False, "NotWorking", trouble)
    return healthy(None, "Starting", "its Pod is not ready yet")


def _trouble(pod: ObservedPod) -> str:
    """Tell what keeps a Pod from being ready, or nothing."""
    if pod.unschedulable:
        return f"Pod {pod.name}: no node takes it: {pod.unschedulable}"
    for each in pod.containers:
        ended = "" if each.exit_code is None else f"; it last ended with exit code {each.exit_code}"
        if each.waiting_reason is not None:
            said = ": ".join(filter(None, (each.waiting_reason, each.waiting_message)))
            return f"Pod {pod.name}, container {each.name}: {said}{ended}"
    return ""
