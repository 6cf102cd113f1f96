"""The requests that the operator makes, counted."""

from __future__ import annotations

from timewright.cluster import api
from timewright.cluster.api import (
    CRON_JOBS,
    EVENTS,
    FIELD_MANAGER,
    JOBS,
    LEASES,
    PODS,
    SCHEDULED_TASKS,
    TASK_RUNS,
    Api,
    ApiError,
    Manifest,
    Resource,
)
from timewright.controller import metrics

__all__ = [
    "CRON_JOBS",
    "EVENTS",
    "FIELD_MANAGER",
    "JOBS",
    "LEASES",
    "PODS",
    "SCHEDULED_TASKS",
    "TASK_RUNS",
    "Api",
    "ApiError",
    "Manifest",
    "Resource",
    "connect",
]


async def connect() -> Api:
    """Connect as `timewright.cluster.api.connect` does."""
    connected = await api.connect()
    connected.on_request = lambda method, resource: metrics.api_requests.labels(method, resource).inc()
    return connected
