"""The tasks that go on while things break: every kind, every policy, and a trace of each run."""

from __future__ import annotations

from typing import Any

from tests.audit.traced import COMMAND
from tests.objects import job_template

Manifest = dict[str, Any]

KEPT = {"failedRunsHistoryLimit": 1000, "successfulRunsHistoryLimit": 3}
"""What did not succeed is kept, so that a watch that is interrupted misses none of it."""


def load(sink: str) -> list[Manifest]:
    """Return the tasks. `sink` is a URL at which requests leave a trace."""
    quick = {"call": "tests.audit.traced:quick"}
    latest, everything, nothing = ({"policy": policy} for policy in ("Latest", "All", "Skip"))
    command = ["sh", "-c", COMMAND + "trace start; trace end"]
    trace = " ".join(f"$(TIMEWRIGHT_{name})" for name in ("TASK", "SCHEDULED_AT", "RUN_ID", "TRIGGER"))
    request = {"method": "POST", "url": sink, "body": trace}
    return [
        *(daemon_task(f"second-{number}", python=quick, missedRuns=latest) for number in range(8)),
        *(daemon_task(f"skip-{number}", python=quick, missedRuns=nothing) for number in range(2)),
        daemon_task("all", "*/5 * * * * *", python=quick, missedRuns=everything),
        *(daemon_task(f"again-{number}", "*/2 * * * * *", python=slow(0.7), onLost="Rerun") for number in range(4)),
        *(daemon_task(f"long-{number}", "*/3 * * * * *", python=slow(1.5)) for number in range(3)),
        daemon_task("forbid", "*/4 * * * * *", python=slow(5), concurrencyPolicy="Forbid"),
        daemon_task("queue", "*/5 * * * * *", python=slow(2), concurrencyPolicy="Queue"),
        *(daemon_task(f"command-{number}", "*/10 * * * * *", command=command) for number in range(2)),
        *(daemon_task(f"http-{number}", "*/5 * * * * *", http=request) for number in range(2)),
        *(daemon_task(f"job-{number}", "*/10 * * * * *", jobTemplate=job_template()) for number in range(3)),
        daemon_task("zoned", "30 */1 * * * *", timeZone="Australia/Lord_Howe", python=quick),
    ]


def daemon_task(name: str, schedule: str = "* * * * * *", **spec: Any) -> Manifest:
    """Return a task of mode Daemon."""
    return {
        "apiVersion": "timewright.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": name},
        "spec": {"mode": "Daemon", "schedule": schedule, **KEPT, **spec},
    }


def slow(seconds: float) -> Manifest:
    """Return a call that takes that long."""
    return {"call": "tests.audit.traced:slow", "args": [seconds]}
