"""How the operator reaches the API: each of its requests is counted."""

from __future__ import annotations

from timewright.cluster import api, metrics
from timewright.cluster.api import Api


async def connect() -> Api:
    """Connect as `timewright.cluster.api.connect` does."""
    connected = await api.connect()
    connected.on_request = lambda method, resource: metrics.api_requests.labels(method, resource).inc()
    return connected
