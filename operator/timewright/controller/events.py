"""Events for what a person would want to be told.

Written through events.k8s.io/v1 (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/).
An event is a courtesy: one that cannot be written is logged and forgotten.
"""

from __future__ import annotations

import logging
import uuid

from timewright.cluster.api import EVENTS, ApiError
from timewright.controller.context import Sync
from timewright.resources.model import API_VERSION

logger = logging.getLogger(__name__)

_NOTE_LIMIT = 1024


async def warn(sync: Sync, reason: str, action: str, note: str) -> None:
    """Write an event of type Warning about the task. `action` is what was being done, as one word."""
    namespace, task = sync.key.namespace, sync.task
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{task.name[:200]}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
        "eventTime": sync.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning",
        "reason": reason,
        "action": action,
        "note": note if len(note) <= _NOTE_LIMIT else note[: _NOTE_LIMIT - 1] + "…",
        "reportingController": "timewright.dev/operator",
        "reportingInstance": sync.operator.configuration.identity[:128],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": "ScheduledTask",
            "namespace": namespace,
            "name": task.name,
            "uid": task.uid,
        },
    }
    try:
        await sync.operator.api.create(EVENTS, body)
    except ApiError as error:
        level = logging.DEBUG if error.namespace_ends else logging.WARNING
        logger.log(level, "could not write event %s for %s/%s: %s", reason, namespace, task.name, error)
