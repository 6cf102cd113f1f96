"""What the operator knows of the cluster: reduced records of the objects of every task.

Filled by listing at start and by watch events after that. Only the newest version of an object counts, by its
resourceVersion, so that the answer to our own write is not undone by an older event that arrives later.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from timewright.cluster.observe import edited_at, observe_cron_job, observe_deployment, observe_job, observe_run
from timewright.controller.daemons import NO_CONCERN, DaemonKey, DaemonRecord, Daemons, concern_of
from timewright.decisions.observed import ObservedCronJob, ObservedDeployment, ObservedJob, ObservedRun
from timewright.desired import names
from timewright.resources.model import parse_time

Manifest = dict[str, Any]
Observed = TypeVar("Observed", ObservedCronJob, ObservedJob, ObservedRun)


GONE_REMEMBERED = 10_000
"""How many objects of a kind that have gone are remembered."""


class TaskKey(NamedTuple):
    """A task, existing or not, by namespace and by the value of its label (its name, where that is short enough)."""

    namespace: str
    label: str


@dataclass(slots=True)
class Versioned(Generic[Observed]):
    """A record and the version it was taken from."""

    version: int
    record: Observed


class Shelf(Generic[Observed]):
    """The records of one kind, by task and by name."""

    def __init__(self) -> None:
        self._by_task: dict[TaskKey, dict[str, Versioned[Observed]]] = defaultdict(dict)
        self._gone: dict[tuple[TaskKey, str], int] = {}

    def put(self, key: TaskKey, version: int, record: Observed) -> bool:
        """Keep a record unless a newer one is known; tell whether it was kept."""
        known = self._by_task.get(key, {}).get(record.name)
        if (known is not None and known.version >= version) or self._gone.get((key, record.name), -1) >= version:
            return False
        self._by_task[key][record.name] = Versioned(version, record)
        return True

    def drop(self, key: TaskKey, name: str, uid: str, version: int = 0) -> Observed | None:
        """Forget a record, if it is of that UID, and return it.

        The version at which it went is remembered for a while: a page of a list that was made before may still come.
        """
        known = self._by_task.get(key, {}).get(name)
        if known is None or known.record.uid != uid:
            return None
        self._gone.pop((key, name), None)
        self._gone[key, name] = max(version, known.version)
        if len(self._gone) > GONE_REMEMBERED:
            del self._gone[next(iter(self._gone))]
        del self._by_task[key][name]
        if not self._by_task[key]:
            del self._by_task[key]
        return known.record

    def revise(self, key: TaskKey, record: Observed) -> None:
        """Replace a record by what our own request has made of it, until an event tells more."""
        known = self._by_task.get(key, {}).get(record.name)
        if known is not None and known.record.uid == record.uid:
            known.record = record

    def of(self, key: TaskKey) -> list[Observed]:
        """Return the records of a task."""
        return [each.record for each in self._by_task.get(key, {}).values()]

    def find(self, key: TaskKey, name: str) -> Observed | None:
        """Return a record by its name."""
        known = self._by_task.get(key, {}).get(name)
        return known.record if known is not None else None

    def all(self) -> Iterator[tuple[TaskKey, Observed]]:
        """Iterate over everything."""
        for key, records in self._by_task.items():
            for each in records.values():
                yield key, each.record


class TaskRecord:
    """A ScheduledTask, kept as compact JSON: ten thousand parsed ones would fill the memory."""

    __slots__ = (
        "_text",
        "concern",
        "created_at",
        "deleting",
        "edited_at",
        "generation",
        "last_success",
        "name",
        "resource_version",
        "uid",
        "version",
    )

    def __init__(self, body: Manifest) -> None:
        metadata = body["metadata"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self.generation: int = metadata.get("generation") or 0
        self.resource_version: str = metadata["resourceVersion"]
        self.version = version_of(body)
        self.created_at = int(parse_time(metadata["creationTimestamp"]).timestamp())
        """In UTC seconds."""
        self.deleting = "deletionTimestamp" in metadata
        self.edited_at = edited_at(metadata)
        """In UTC seconds."""
        self.concern = concern_of(body)
        status = body.get("status") or {}
        self.last_success: str | None = status.get("lastSuccessTime")
        self._text = json.dumps({"spec": body.get("spec") or {}, "status": status}, separators=(",", ":")).encode()

    def parts(self) -> tuple[Manifest, Manifest]:
        """Return spec and status, parsed anew."""
        parsed = json.loads(self._text)
        return parsed["spec"], parsed["status"]


class OwnedDeployment(NamedTuple):
    """A Deployment, the version that is known of it, and the daemon or task that it is of."""

    version: int
    key: TaskKey | DaemonKey
    record: ObservedDeployment


class Store:
    """What the operator knows of the cluster."""

    def __init__(self) -> None:
        self.tasks: dict[TaskKey, TaskRecord] = {}
        self.cron_jobs: Shelf[ObservedCronJob] = Shelf()
        self.jobs: Shelf[ObservedJob] = Shelf()
        self.runs: Shelf[ObservedRun] = Shelf()
        self.daemons = Daemons()
        self.deployments: dict[tuple[str, str], OwnedDeployment] = {}
        """By namespace and name."""

    def put_task(self, body: Manifest) -> TaskKey | None:
        """Take in a ScheduledTask; return its key if that was news."""
        record = TaskRecord(body)
        key = TaskKey(body["metadata"]["namespace"], names.task_label(record.name))
        known = self.tasks.get(key)
        if known is not None and known.uid == record.uid and known.version >= record.version:
            return None
        self.tasks[key] = record
        self.daemons.concern(key.namespace, key, known.concern if known is not None else NO_CONCERN, record.concern)
        return key

    def drop_task(self, body: Manifest) -> TaskKey:
        """Forget a ScheduledTask."""
        key = TaskKey(body["metadata"]["namespace"], names.task_label(body["metadata"]["name"]))
        self.forget_task(key, body["metadata"]["uid"])
        return key

    def forget_task(self, key: TaskKey, uid: str) -> None:
        """Forget a ScheduledTask, if it is of that UID."""
        known = self.tasks.get(key)
        if known is not None and known.uid == uid:
            del self.tasks[key]
            self.daemons.concern(key.namespace, key, known.concern, NO_CONCERN)

    def put_cron_job(self, body: Manifest) -> TaskKey | None:
        """Take in a CronJob; return the key of its task if that was news."""
        key = label_key(body)
        return key if key and self.cron_jobs.put(key, version_of(body), observe_cron_job(body)) else None

    def drop_cron_job(self, body: Manifest) -> TaskKey | None:
        """Forget a CronJob; return the key of its task."""
        key = label_key(body)
        if key:
            self.cron_jobs.drop(key, body["metadata"]["name"], body["metadata"]["uid"], version_of(body))
        return key

    def put_job(self, body: Manifest) -> TaskKey | None:
        """Take in a Job; return the key of its task if that was news."""
        key = label_key(body)
        return key if key and self.jobs.put(key, version_of(body), observe_job(body)) else None

    def drop_job(self, body: Manifest) -> TaskKey | None:
        """Take in the end of a Job: what was last seen of it stays until its run has been settled."""
        key = label_key(body)
        if key:
            self.jobs.put(key, version_of(body), replace(observe_job(body), deleted=True))
        return key

    def put_run(self, body: Manifest) -> TaskKey | None:
        """Take in a TaskRun; return the key of its task if that was news."""
        key = run_key(body)
        return key if self.runs.put(key, version_of(body), observe_run(body)) else None

    def drop_run(self, body: Manifest) -> TaskKey:
        """Forget a TaskRun; return the key of its task."""
        key = run_key(body)
        self.runs.drop(key, body["metadata"]["name"], body["metadata"]["uid"], version_of(body))
        return key

    def put_daemon(self, body: Manifest) -> DaemonKey | None:
        """Take in a TaskDaemon; return its key if that was news."""
        key = DaemonKey(body["metadata"]["namespace"], body["metadata"]["name"])
        return key if self.daemons.put(key, DaemonRecord(body, version_of(body))) else None

    def drop_daemon(self, body: Manifest) -> DaemonKey:
        """Forget a TaskDaemon."""
        key = DaemonKey(body["metadata"]["namespace"], body["metadata"]["name"])
        self.daemons.drop(key, body["metadata"]["uid"])
        return key

    def put_deployment(self, body: Manifest) -> TaskKey | DaemonKey | None:
        """Take in a Deployment; return the key of the daemon or task that it is of, if that was news."""
        key = deployment_key(body)
        at, version = (body["metadata"]["namespace"], body["metadata"]["name"]), version_of(body)
        known = self.deployments.get(at)
        if key is None or (known is not None and known.version >= version):
            return None
        self.deployments[at] = OwnedDeployment(version, key, observe_deployment(body))
        return key

    def drop_deployment(self, body: Manifest) -> TaskKey | DaemonKey | None:
        """Forget a Deployment; return the key of the daemon or task that it was of."""
        self.forget_deployment(body["metadata"]["namespace"], body["metadata"]["name"], body["metadata"]["uid"])
        return deployment_key(body)

    def forget_deployment(self, namespace: str, name: str, uid: str) -> None:
        """Forget a Deployment, if it is of that UID."""
        known = self.deployments.get((namespace, name))
        if known is not None and known.record.uid == uid:
            del self.deployments[namespace, name]

    def deployment(self, namespace: str, name: str) -> ObservedDeployment | None:
        """Return a Deployment by its name."""
        known = self.deployments.get((namespace, name))
        return known.record if known is not None else None

    def known_keys(self) -> set[TaskKey | DaemonKey]:
        """Return the key of everything known."""
        found: set[TaskKey | DaemonKey] = {*self.tasks, *self.daemons.keys()}
        for key, _ in self.cron_jobs.all():
            found.add(key)
        for key, _ in self.jobs.all():
            found.add(key)
        for key, _ in self.runs.all():
            found.add(key)
        return found


def version_of(body: Manifest) -> int:
    """Return an object's resourceVersion as a number.

    Versions of one resource can be compared so (https://github.com/kubernetes/enhancements/issues/5504).
    """
    try:
        return int(body["metadata"]["resourceVersion"])
    except (KeyError, ValueError):
        return 0


def label_key(body: Manifest) -> TaskKey | None:
    """Return the key of the task that an object's label names."""
    label = (body["metadata"].get("labels") or {}).get(names.TASK_LABEL)
    return TaskKey(body["metadata"]["namespace"], label) if label else None


def deployment_key(body: Manifest) -> TaskKey | DaemonKey | None:
    """Return the key of the daemon or task that a Deployment is of."""
    daemon = (body["metadata"].get("labels") or {}).get(names.DAEMON_LABEL)
    return DaemonKey(body["metadata"]["namespace"], daemon) if daemon else label_key(body)


def run_key(body: Manifest) -> TaskKey:
    """Return the key of the task that a TaskRun refers to."""
    return TaskKey(body["metadata"]["namespace"], names.task_label(body["spec"]["taskRef"]["name"]))
