"""How a task's definition, a run's identity and its secrets travel into a Pod: the names of environment variables.

The builder of Pods writes them and the runner reads them, so both take them from here.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

DEFINITION = "TIMEWRIGHT_DEFINITION"
"""The task as a ScheduledTask manifest in JSON, reduced to what the runner needs."""

SCHEDULED_AT = "TIMEWRIGHT_SCHEDULED_AT"
"""The nominal time of the run, RFC 3339 in UTC."""

RUN_ID = "TIMEWRIGHT_RUN_ID"
"""What identifies the run: the name of its Job."""

TASK_NAME = "TIMEWRIGHT_TASK"
"""The name of the ScheduledTask."""

ATTEMPT = "TIMEWRIGHT_ATTEMPT"
"""The number of the attempt within the run, counted from 1."""

TRIGGER = "TIMEWRIGHT_TRIGGER"
"""What asked for the run, a word of `vocabulary.Trigger`."""

LAST_SUCCESS_AT = "TIMEWRIGHT_LAST_SUCCESS_AT"
"""When a run of the task last ended with success, where that is known; RFC 3339 in UTC."""

PARAMETERS = "TIMEWRIGHT_PARAMETERS"
"""The run's parameters as one JSON object."""

REPORT_PATH = "/dev/termination-log"
"""Where the runner leaves its report: the kubelet's default `terminationMessagePath`."""


def parameter_variable(name: str) -> str:
    """Return the environment variable that carries one parameter, as text."""
    return f"TIMEWRIGHT_PARAMETER_{name.upper()}"


SECRET_PREFIX = "TIMEWRIGHT_SECRET_"  # noqa: S105 - a name
"""How the names of variables begin that carry secrets into a process."""


def secret_variable(secret: str, key: str) -> str:
    """Return the environment variable that carries one key of a Secret into the runner."""
    digest = hashlib.sha256(f"{secret}/{key}".encode()).hexdigest()
    return f"{SECRET_PREFIX}{digest[:12].upper()}"


def nominal_time_from_job_name(job_name: str) -> datetime | None:
    """Read the nominal time out of a native Job's name, which ends in Unix minutes; `None` if it does not.

    The name is made by `getJobName` in Kubernetes' pkg/controller/cronjob.
    """
    prefix, _, digits = job_name.rpartition("-")
    if not prefix or not digits.isdecimal() or not 7 <= len(digits) <= 9:
        return None
    return datetime.fromtimestamp(int(digits) * 60, tz=UTC)
