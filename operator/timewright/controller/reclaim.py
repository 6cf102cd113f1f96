"""Has a daemon left a task behind, so that the operator has to take it back itself?

A daemon gives back what it is no longer to decide. One that is gone, or cannot start, never will. It is taken to be
gone when nobody renews its Lease, measured on our own clock. Even if it came back just then, it would start nothing of
the task: it reads what the spec says before it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timewright.cluster.api import LEASES, ApiError
from timewright.controller.context import Sync
from timewright.controller.daemons import DaemonKey
from timewright.desired.names import daemon_object_name
from timewright.storage.kubernetes.journal import Journal, from_annotations

PATIENCE_SECONDS = 20.0
"""How long a Lease may be free before its daemon counts as gone; another replica takes it within seconds."""

LOOK_SECONDS = 5.0
"""How often a Lease is looked at while tasks wait for it."""


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A task that its daemon will not give back."""

    daemon: str
    journal: Journal
    """What its Lease tells."""


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """A Lease as it was last looked at."""

    version: str
    duration: float
    """For how many seconds it is held without being renewed; 0 for one that nobody holds."""
    journal: Journal
    since: float
    """When it was first seen so, on the monotonic clock."""
    looked_at: float


async def is_left_behind(sync: Sync, daemon: str) -> LeftBehind | None:
    """Tell whether the task's daemon is gone, or None if it is not, or not for long enough."""
    seen = await _look(sync, DaemonKey(sync.key.namespace, daemon))
    left = seen.since + seen.duration + PATIENCE_SECONDS - sync.operator.monotonic()
    if left > 0:
        sync.wake_in(min(left, LOOK_SECONDS))
        return None
    return LeftBehind(daemon, seen.journal)


async def _look(sync: Sync, key: DaemonKey) -> LeaseSeen:
    """Look at a daemon's Lease, at most every few seconds however many tasks ask."""
    operator, now = sync.operator, sync.operator.monotonic()
    before = operator.leases.get(key)
    if before is not None and now - before.looked_at < LOOK_SECONDS / 2:
        return before
    try:
        lease: dict[str, Any] | None = await operator.api.get(LEASES, key.namespace, daemon_object_name(key.name))
    except ApiError as error:
        if not error.not_found:
            raise
        lease = None
    version = lease["metadata"]["resourceVersion"] if lease is not None else ""
    since = before.since if before is not None and before.version == version else now
    seen = LeaseSeen(version, _duration(lease), _journal(lease), since, now)
    operator.leases[key] = seen
    return seen


def _duration(lease: dict[str, Any] | None) -> float:
    spec = (lease or {}).get("spec") or {}
    return float(spec.get("leaseDurationSeconds") or 0) if spec.get("holderIdentity") else 0.0


def _journal(lease: dict[str, Any] | None) -> Journal:
    """Read what is told of ticks; what somebody has spoilt tells nothing."""
    try:
        return from_annotations((lease or {}).get("metadata", {}).get("annotations"))
    except ValueError:
        return Journal()
