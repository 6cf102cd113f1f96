"""Job of a tick → TaskRun."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from timewright.desired import names
from timewright.resources.model import API_VERSION, format_time
from timewright.resources.vocabulary import Trigger


def build_task_run(
    namespace: str, task_name: str, task_uid: str, *, name: str, scheduled_at: datetime | None
) -> dict[str, Any]:
    """Return the TaskRun that records the run of one tick. `scheduled_at` is the tick, an aware instant."""
    spec: dict[str, Any] = {"taskRef": {"name": task_name}, "trigger": Trigger.SCHEDULE.value}
    if scheduled_at is not None:
        spec["scheduledAt"] = format_time(scheduled_at)
    return {
        "apiVersion": API_VERSION,
        "kind": "TaskRun",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": names.labels(task_name),
            "ownerReferences": [names.owned_by_task(task_name, task_uid)],
        },
        "spec": spec,
    }
