"""Runs of a store in the words of manifests, so that a record reads the same wherever its run was made."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from timewright.resources.group import API_VERSION
from timewright.storage.records import RunRecord


@lru_cache(maxsize=64)
def instant(seconds: float) -> datetime:
    """Return seconds since 1970 as an aware UTC instant."""
    return datetime.fromtimestamp(seconds, UTC)


def timestamp(seconds: float | None) -> str | None:
    """Write seconds since 1970 as RFC 3339, to the millisecond where there are any."""
    if seconds is None:
        return None
    digits = "seconds" if seconds == int(seconds) else "milliseconds"
    return instant(seconds).replace(tzinfo=None).isoformat(timespec=digits) + "Z"


def start_delay(run: RunRecord) -> float | None:
    """Return how long after its nominal time a run started, in seconds."""
    return None if run.started_at is None else max(0.0, run.started_at - run.scheduled_at - run.jitter)


def run_document(run: RunRecord) -> dict[str, Any]:
    """Return the record of a run in the shape of a TaskRun."""
    namespace, _, name = run.task.rpartition("/")
    delay = start_delay(run)
    spec = {
        "taskRef": {"name": name},
        "trigger": run.trigger.value,
        "scheduledAt": timestamp(run.scheduled_at),
        "parameters": dict(run.parameters) or None,
        "idempotencyKey": run.idempotency_key,
    }
    status = {
        "phase": "Finished" if run.phase is None else "Pending" if run.phase.value == "Queued" else "Running",
        "outcome": run.outcome.value if run.outcome else None,
        "reason": run.reason or None,
        "message": run.message or None,
        "startTime": timestamp(run.started_at),
        "completionTime": timestamp(run.finished_at),
        "startDelaySeconds": None if delay is None else round(delay, 3),
        "exitCode": run.exit_code,
        "output": run.output or None,
        "attempts": run.attempts or None,
        "peakMemoryBytes": run.peak_memory_bytes,
        "host": run.host or None,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "TaskRun",
        "metadata": {"name": run.run_id, "namespace": namespace},
        "spec": _present(spec),
        "status": _present(status),
    }


def _present(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
