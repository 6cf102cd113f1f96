"""Names, labels and annotations of the objects that belong to a task."""

from __future__ import annotations

import hashlib
from typing import Any

from timewright.resources.model import API_VERSION, GROUP

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
TASK_LABEL = f"{GROUP}/task"
"""On every CronJob, Job, Pod and TaskRun of a task; watches are narrowed by it."""

RUN_ANNOTATION = f"{GROUP}/run"
"""On a Job made for a TaskRun: the name of that TaskRun."""

SCHEDULED_AT_ANNOTATION = f"{GROUP}/scheduled-at"
"""On a Pod: the nominal time of its run, RFC 3339 in UTC."""

DAEMON_LABEL = f"{GROUP}/daemon"
"""On what a TaskDaemon is made of; and on every Job and TaskRun that a daemon makes: the daemon that settles them."""

COUNTED_ANNOTATION = f"{GROUP}/counted"
"""On a TaskRun that a daemon has counted before it wrote it: whoever decides the task by now is not to count it."""

HANDED_OVER_ANNOTATION = f"{GROUP}/handed-over"
"""On a CronJob that is suspended because something else is to decide the ticks of its task, whatever the task says."""

APPLIED_ANNOTATION = f"{GROUP}/applied"
"""On a CronJob: the digest of the manifest last applied, which tells whether applying again would change it."""

CRON_JOB_NAME_LIMIT = 52
"""A CronJob's Jobs add eleven characters to its name, and a Job's name is also a label value of its Pods."""

LABEL_VALUE_LIMIT = 63


def shortened(name: str, limit: int) -> str:
    """Return the name, or where it is too long its beginning and a hash of the whole, in at most `limit` characters.

    Two long names that begin alike stay apart, and the result ends in a letter or digit as names must.
    """
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"


def cron_job_name(task_name: str) -> str:
    """Return the name of a task's CronJob."""
    return shortened(task_name, CRON_JOB_NAME_LIMIT)


def task_label(task_name: str) -> str:
    """Return the value of the task label."""
    return shortened(task_name, LABEL_VALUE_LIMIT)


def manual_job_name(run_name: str, run_uid: str) -> str:
    """Return the name of the Job for a TaskRun made by hand.

    The hash of the UID keeps it apart from the Jobs of ticks, and from those of an earlier TaskRun of the same name.
    """
    digest = hashlib.sha256(run_uid.encode()).hexdigest()[:8]
    return f"{run_name[: LABEL_VALUE_LIMIT - 9].rstrip('-.')}-{digest}"


def application_name(task_name: str) -> str:
    """Return the name of the Deployment that keeps an application's `work` command running."""
    return shortened(f"{task_name}-work", LABEL_VALUE_LIMIT)


def daemon_object_name(daemon_name: str) -> str:
    """Return the name of all that a TaskDaemon is made of: its Deployment, ServiceAccount, Role, and Lease."""
    return f"timewright-daemon-{daemon_name}"


def daemon_labels(daemon_name: str) -> dict[str, str]:
    """Return the labels that every object of a TaskDaemon carries. They select its Pods."""
    return {
        MANAGED_BY_LABEL: "timewright",
        "app.kubernetes.io/name": "timewright",
        "app.kubernetes.io/component": "daemon",
        DAEMON_LABEL: daemon_name,
    }


def owned_by_daemon(name: str, uid: str) -> dict[str, Any]:
    """Return the ownerReference that makes a TaskDaemon the controller of an object."""
    return {**owned_by_task(name, uid), "kind": "TaskDaemon"}


def labels(task_name: str) -> dict[str, str]:
    """Return the labels that every object of a task carries."""
    return {MANAGED_BY_LABEL: "timewright", TASK_LABEL: task_label(task_name)}


def owned_by_task(name: str, uid: str) -> dict[str, Any]:
    """Return the ownerReference that makes a ScheduledTask the controller of an object."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ScheduledTask",
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
