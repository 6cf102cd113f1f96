"""What is left for the operator of a task that a daemon decides: nearly nothing.

The daemon writes the task's status, and settles the runs that it started. The operator settles the runs that the
CronJob started before the ticks changed hands, and speaks for a daemon that is not there.
"""

from __future__ import annotations

from typing import Any

from timewright.cluster.api import SCHEDULED_TASKS, ApiError
from timewright.controller.context import Sync
from timewright.controller.daemons import DaemonKey
from timewright.controller.record import record_native_runs
from timewright.controller.retain import remove_native_jobs
from timewright.decisions.ownership import Decider
from timewright.decisions.status import accepted_conditions, with_conditions
from timewright.desired.names import daemon_object_name

LOOK_AGAIN_SECONDS = 10.0
"""When to look again whether a daemon is there that no news of a task would come from."""


async def leave_to_daemon(sync: Sync, decider: Decider | None, raw_status: dict[str, Any]) -> None:
    """Settle what the CronJob started, and tell what keeps the daemon from speaking for itself."""
    await record_native_runs(sync)
    await remove_native_jobs(sync)
    unseen = raw_status.get("observedGeneration") != sync.task.generation
    if unseen and decider is not None and decider.daemon is not None:
        await _speak_for(sync, decider.daemon)


async def _speak_for(sync: Sync, daemon: str) -> None:
    """Write the conditions of a task whose newest generation no daemon has looked at, if none is there to look."""
    key = DaemonKey(sync.key.namespace, daemon)
    sync.wake_in(LOOK_AGAIN_SECONDS)
    deployment = sync.operator.store.deployment(key.namespace, daemon_object_name(daemon))
    if key not in sync.operator.store.daemons.records:
        not_ready = "DaemonNotFound", f"spec.daemon: there is no TaskDaemon {daemon!r} in this namespace; create it"
    elif deployment is None or not deployment.ready:
        not_ready = "DaemonNotReady", f"TaskDaemon {daemon!r} has no Pod that is ready; see its conditions"
    else:
        return
    generation, running = sync.task.generation, sync.status.accepted_generation
    conditions = accepted_conditions(sync.verdict, not_ready, generation, running, sync.now)
    status = with_conditions(sync.status, conditions)
    if status.conditions == sync.status.conditions:
        return
    body = {
        "metadata": {"resourceVersion": sync.task.resource_version},
        "status": {"conditions": [each.to_manifest() for each in status.conditions]},
    }
    try:
        await sync.operator.api.merge_patch_status(SCHEDULED_TASKS, key.namespace, sync.task.name, body)
    except ApiError as error:
        if not error.not_found:
            raise
