"""The tasks that go on while things break: every kind, every policy, and a trace of each run."""

from __future__ import annotations

from typing import Any

from tests.audit.traced import COMMAND
from tests.chaos.stand_ins import POD_SECONDS
from tests.objects import job_template

Manifest = dict[str, Any]

KEPT = {"failedRunsHistoryLimit": 1000, "successfulRunsHistoryLimit": 3}
"""What did not succeed is kept, so that a watch that is interrupted misses none of it."""

SECONDS = 30
"""How many tasks are due every second."""

QUICK = {"call": "tests.audit.traced:quick"}
EVERY_MINUTE = "* * * * *"


def load(sink: str) -> list[Manifest]:
    """Return the tasks. `sink` is a URL at which requests leave a trace."""
    return [
        *(daemon_task(f"second-{number}", python=QUICK, missedRuns={"policy": "Latest"}) for number in range(SECONDS)),
        *_kinds(sink),
        *_policies(),
        *_of_minutes(sink),
        *_edited(),
    ]


def _kinds(sink: str) -> list[Manifest]:
    """Everything that a run can be."""
    return [
        *(daemon_task(f"command-{number}", "*/10 * * * * *", command=traced_command()) for number in range(2)),
        *(daemon_task(f"http-{number}", "*/5 * * * * *", http=_request(sink)) for number in range(4)),
        *(daemon_task(f"job-{number}", "*/10 * * * * *", jobTemplate=job_template()) for number in range(3)),
        daemon_task("blocking", "*/5 * * * * *", python=_call("blocking", 1.5)),
        daemon_task("child", "*/15 * * * * *", python=_call("slow", 0.2), timeoutSeconds=20),
        daemon_task("times-out", "*/20 * * * * *", python=_call("slow", 30), timeoutSeconds=2),
        daemon_task("fails", "*/4 * * * * *", python=_call("failing")),
        daemon_task("flaky", "*/4 * * * * *", python=_call("flaky", 3), retry={"limit": 3, "backoffSeconds": 0}),
        daemon_task(
            "http-flaky", "*/5 * * * * *", http=_request(f"{sink}flaky"), retry={"limit": 2, "backoffSeconds": 1}
        ),
    ]


def _policies() -> list[Manifest]:
    """Everything that can be said of overlap, of what is late, and of what is lost."""
    again = {"onLost": "Rerun"}
    return [
        *(daemon_task(f"skip-{number}", python=QUICK, missedRuns={"policy": "Skip"}) for number in range(2)),
        daemon_task("all", "*/5 * * * * *", python=QUICK, missedRuns={"policy": "All"}),
        daemon_task("deadline", python=QUICK, startingDeadlineSeconds=2),
        *(daemon_task(f"again-{number}", "*/2 * * * * *", python=_call("slow", 0.7), **again) for number in range(4)),
        daemon_task("again-command", "*/7 * * * * *", command=traced_command("sleep 1; "), **again),
        daemon_task("again-job", "*/6 * * * * *", jobTemplate=_job(2), **again),
        daemon_task("again-queue", "*/3 * * * * *", python=_call("slow", 2), concurrencyPolicy="Queue", **again),
        *(daemon_task(f"long-{number}", "*/3 * * * * *", python=_call("slow", 1.5)) for number in range(3)),
        daemon_task("most", "*/2 * * * * *", python=_call("slow", 5), maxConcurrent=2),
        daemon_task("forbid", "*/4 * * * * *", python=_call("slow", 5), concurrencyPolicy="Forbid"),
        daemon_task("forbid-job", "*/5 * * * * *", jobTemplate=_job(6), concurrencyPolicy="Forbid"),
        daemon_task("replace", "*/5 * * * * *", python=_call("slow", 8), concurrencyPolicy="Replace"),
        daemon_task("queue", "*/5 * * * * *", python=_call("slow", 2), concurrencyPolicy="Queue"),
        daemon_task("queue-two", "*/2 * * * * *", python=_call("slow", 3), concurrencyPolicy="Queue", maxConcurrent=2),
        daemon_task("queue-job", "*/6 * * * * *", jobTemplate=_job(3), concurrencyPolicy="Queue", maxQueued=3),
    ]


def _of_minutes(sink: str) -> list[Manifest]:
    """What is due by the minute, as most tasks in the world are."""
    return [
        daemon_task("minute", EVERY_MINUTE, python=QUICK),
        daemon_task("minute-http", EVERY_MINUTE, http=_request(sink)),
        daemon_task("minute-command", EVERY_MINUTE, command=traced_command()),
        daemon_task("minute-job", EVERY_MINUTE, jobTemplate=job_template()),
        daemon_task("minute-again", EVERY_MINUTE, python=_call("slow", 3), onLost="Rerun", concurrencyPolicy="Queue"),
        daemon_task("zoned", "30 */1 * * * *", timeZone="Australia/Lord_Howe", python=QUICK),
        daemon_task("several", "", schedules=["*/20 * * * * *", EVERY_MINUTE, "7 * * * * *"], python=QUICK),
    ]


def _edited() -> list[Manifest]:
    """What people change meanwhile, see `people`."""
    return [
        *(daemon_task(f"edited-{number}", "*/2 * * * * *", python=QUICK) for number in range(4)),
        *(daemon_task(f"paused-{number}", python=QUICK) for number in range(3)),
        daemon_task("paused-job", "*/5 * * * * *", jobTemplate=job_template()),
        daemon_task("asleep", python=QUICK, suspend=True, failedRunsHistoryLimit=3),
    ]


def daemon_task(name: str, schedule: str = "* * * * * *", **spec: Any) -> Manifest:
    """Return a task of mode Daemon."""
    timing = {"schedule": schedule} if schedule else {}
    return {
        "apiVersion": "timewright.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": name},
        "spec": {"mode": "Daemon", **timing, **KEPT, **spec},
    }


def _call(name: str, *arguments: object) -> Manifest:
    return {"call": f"tests.audit.traced:{name}", "args": list(arguments)}


def traced_command(meanwhile: str = "") -> list[str]:
    """Return a command that leaves a trace where it runs in the daemon."""
    return ["sh", "-c", f"{COMMAND}trace start; {meanwhile}trace end"]


def _request(sink: str) -> Manifest:
    trace = " ".join(f"$(TIMEWRIGHT_{name})" for name in ("TASK", "SCHEDULED_AT", "RUN_ID", "TRIGGER"))
    return {"method": "POST", "url": sink, "body": trace}


def _job(seconds: int) -> Manifest:
    """Return a jobTemplate whose Pods take that long."""
    template = job_template()
    template["spec"]["template"]["metadata"] = {"annotations": {POD_SECONDS: str(seconds)}}
    return template
