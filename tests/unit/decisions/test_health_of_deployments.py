"""What is told of daemons and of applications that keep running."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from timewright.decisions.application_health import application_health
from timewright.decisions.daemon_status import daemon_ready, daemon_status
from timewright.decisions.observed import ObservedContainer, ObservedDeployment, ObservedPod
from timewright.resources.task_daemon import TaskDaemonStatus

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def deployment(**fields: Any) -> ObservedDeployment:
    return ObservedDeployment("a", "uid", 1, **{"wanted": 1, **fields})


UP = deployment(replicas=1, ready=1, available=True)
WAITING = ObservedContainer("task", waiting_reason="CrashLoopBackOff", waiting_message="back-off 40s", exit_code=3)


@pytest.mark.parametrize(
    ("found", "pods", "status", "reason", "told"),
    [
        (None, [], "Unknown", "Starting", ""),
        (deployment(wanted=0), [], "Unknown", "Suspended", "suspended"),
        (UP, [], "True", "Working", ""),
        (deployment(replicas=1, ready=0, available=True), [], "Unknown", "Starting", ""),
        (deployment(message="quota exceeded"), [], "False", "NotWorking", "quota exceeded"),
        (deployment(), [ObservedPod("p", NOON, unschedulable="no memory")], "False", "NotWorking", "no memory"),
        (deployment(), [ObservedPod("p", NOON, containers=(WAITING,))], "False", "NotWorking", "exit code 3"),
    ],
)
def test_health_of_an_application(
    found: ObservedDeployment | None, pods: list[ObservedPod], status: str, reason: str, told: str
) -> None:
    healthy = application_health(found, pods, 1, NOON)

    assert (healthy.type, healthy.status, healthy.reason) == ("Healthy", status, reason)
    assert told in healthy.message


@pytest.mark.parametrize(
    ("found", "trouble", "status", "reason"),
    [
        (None, None, "False", "Starting"),
        (deployment(wanted=0), None, "False", "Stopped"),
        (deployment(replicas=1), None, "False", "PodsNotReady"),
        (UP, None, "True", "PodsReady"),
        (UP, ("NameTaken", "x"), "False", "NameTaken"),
    ],
)
def test_whether_a_daemon_is_ready(
    found: ObservedDeployment | None, trouble: tuple[str, str] | None, status: str, reason: str
) -> None:
    ready = daemon_ready(found, trouble, 1, NOON)

    assert (ready.status, ready.reason) == (status, reason)


def test_a_condition_that_stays_keeps_its_time_and_those_of_the_daemon_are_not_ours() -> None:
    first = daemon_status(TaskDaemonStatus(), UP, daemon_ready(UP, None, 1, NOON), 1)
    lagging = {"type": "Lagging", "status": "True", "reason": "Late", "lastTransitionTime": "2026-03-01T12:00:00Z"}
    old = TaskDaemonStatus.model_validate({**first, "conditions": [*first["conditions"], lagging]})

    later = daemon_status(old, UP, daemon_ready(UP, None, 2, NOON + timedelta(hours=1)), 2)

    (only,) = later["conditions"]
    assert (only["type"], only["lastTransitionTime"]) == ("Ready", "2026-03-01T12:00:00Z")
    assert later["observedGeneration"] == 2
