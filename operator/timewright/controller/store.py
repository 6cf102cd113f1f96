"""What the operator knows of the cluster: reduced records of the objects of every task.

Filled by listing at start and by watch events after that. Only the newest version of an object counts, by its
resourceVersion, so that the answer to our own write is not undone by an older event that arrives later.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from timewright.controller.observe import observe_cron_job, observe_job, observe_run
from timewright.decisions.observed import ObservedCronJob, ObservedJob, ObservedRun
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

    __slots__ = ("_text", "deleting", "generation", "last_success", "name", "resource_version", "uid", "version")

    def __init__(self, body: Manifest) -> None:
        metadata = body["metadata"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self.generation: int = metadata.get("generation") or 0
        self.resource_version: str = metadata["resourceVersion"]
        self.version = version_of(body)
        self.deleting = "deletionTimestamp" in metadata
        status = body.get("status") or {}
        self.last_success: str | None = status.get("lastSuccessTime")
        self._text = json.dumps({"spec": body.get("spec") or {}, "status": status}, separators=(",", ":")).encode()

    def parts(self) -> tuple[Manifest, Manifest]:
        """Return spec and status, parsed anew."""
        parsed = json.loads(self._text)
        return parsed["spec"], parsed["status"]


class Store:
    """What the operator knows of the cluster."""

    def __init__(self) -> None:
        self.tasks: dict[TaskKey, TaskRecord] = {}
        self.cron_jobs: Shelf[ObservedCronJob] = Shelf()
        self.jobs: Shelf[ObservedJob] = Shelf()
        self.runs: Shelf[ObservedRun] = Shelf()

    def put_task(self, body: Manifest) -> TaskKey | None:
        """Take in a ScheduledTask; return its key if that was news."""
        record = TaskRecord(body)
        key = TaskKey(body["metadata"]["namespace"], names.task_label(record.name))
        known = self.tasks.get(key)
        if known is not None and known.uid == record.uid and known.version >= record.version:
            return None
        self.tasks[key] = record
        return key

    def drop_task(self, body: Manifest) -> TaskKey:
        """Forget a ScheduledTask."""
        key = TaskKey(body["metadata"]["namespace"], names.task_label(body["metadata"]["name"]))
        known = self.tasks.get(key)
        if known is not None and known.uid == body["metadata"]["uid"]:
            del self.tasks[key]
        return key

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

    def known_keys(self) -> set[TaskKey]:
        """Return the key of everything known."""
        found = set(self.tasks)
        for key, _ in self.cron_jobs.all():
            found.add(key)
        for key, _ in self.jobs.all():
            found.add(key)
        for key, _ in self.runs.all():
            found.add(key)
        return found

    def last_successes(self) -> Iterable[tuple[str, str, float]]:
        """Yield namespace, name and Unix time of the last success of every task that had one."""
        for key, task in list(self.tasks.items()):
            if task.last_success:
                yield key.namespace, task.name, parse_time(task.last_success).timestamp()


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


def run_key(body: Manifest) -> TaskKey:
    """Return the key of the task that a TaskRun refers to."""
    return TaskKey(body["metadata"]["namespace"], names.task_label(body["spec"]["taskRef"]["name"]))
