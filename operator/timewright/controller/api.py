"""The requests that the operator makes, counted."""

from __future__ import annotations

from timewright.cluster import api, metrics
from timewright.cluster.api import (
    CRON_JOBS,
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    EVENTS,
    FIELD_MANAGER,
    JOBS,
    LEASES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SCHEDULED_TASKS,
    SERVICE_ACCOUNTS,
    TASK_DAEMONS,
    TASK_RUNS,
    Api,
    ApiError,
    Manifest,
    Resource,
)

__all__ = [
    "CRON_JOBS",
    "DEPLOYMENTS",
    "DISRUPTION_BUDGETS",
    "EVENTS",
    "FIELD_MANAGER",
    "JOBS",
    "LEASES",
    "PODS",
    "ROLES",
    "ROLE_BINDINGS",
    "SCHEDULED_TASKS",
    "SERVICE_ACCOUNTS",
    "TASK_DAEMONS",
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
