"""By when a task has to have succeeded again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from timewright.decisions.acceptance import Accepted, accept
from timewright.decisions.success_deadline import success_deadline


def deadline(since: str, **spec: Any) -> str | None:
    verdict = accept({"command": ["true"], "timeZone": "UTC", "mode": "Daemon", **spec})
    assert isinstance(verdict, Accepted), verdict
    at = success_deadline(verdict.spec, verdict.schedule.ticks, int(datetime.fromisoformat(since).timestamp()))
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()[:16]


@pytest.mark.parametrize(
    ("spec", "since", "expected"),
    [
        ({"schedule": "0 3 * * *"}, "2026-03-02T03:05Z", "2026-03-03T04:00"),
        ({"schedule": "*/10 * * * *"}, "2026-03-02T12:00:05Z", "2026-03-02T12:20"),
        ({"schedule": "*/5 * * * * *"}, "2026-03-02T12:00:56Z", "2026-03-02T12:02"),
        ({"schedule": "0 9 * * MON-FRI"}, "2026-03-06T09:01Z", "2026-03-09T10:00"),
        ({"schedule": "0 3 * * *", "timeoutSeconds": 7200}, "2026-03-02T03:05Z", "2026-03-03T05:00"),
        (
            {"schedule": "0 3 * * *", "timeoutSeconds": 600, "retry": {"limit": 2, "backoffSeconds": 60}},
            "2026-03-02T03:05Z",
            "2026-03-03T03:33",
        ),
        ({"schedule": "0 3 * * *", "timeZone": "Europe/Berlin"}, "2026-03-28T12:00Z", "2026-03-29T02:00"),
        ({"schedule": "0 3 * * *", "suspend": True}, "2026-03-02T03:05Z", None),
        ({"schedule": "0 3 * * *", "endAt": "2026-03-03T00:00:00Z"}, "2026-03-02T03:05Z", None),
    ],
)
def test_deadlines(spec: dict[str, Any], since: str, expected: str | None) -> None:
    assert deadline(since, **spec) == expected
