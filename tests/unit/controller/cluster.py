"""A cluster in memory that answers the operator's requests, and counts and breaks them.

It knows what the operator relies on: resource versions and conflicts, generations, UIDs, defaults, ownership, label
selectors, server-side apply of whole objects, merge patches, preconditions of deletions.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from timewright.cluster.api import CRON_JOBS, JOBS, SCHEDULED_TASKS, TASK_RUNS, Api, ApiError, Resource
from timewright.controller.configuration import Configuration
from timewright.controller.context import Operator
from timewright.controller.daemons import DaemonKey
from timewright.controller.prime import relist
from timewright.controller.reconcile import reconcile
from timewright.controller.reconcile_daemon import reconcile_daemon
from timewright.controller.store import Store, TaskKey
from timewright.desired.runner_image import RunnerImage
from timewright.resources.model import format_time

Manifest = dict[str, Any]
Key = tuple[str, str, str]

NAMESPACE = "shop"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Killed(Exception):  # noqa: N818 - it is an event more than an error
    """The operator was killed."""


class Cluster:
    """The API server's memory, and a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.objects: dict[Key, Manifest] = {}
        self.now = NOON
        self.version = 100
        self.requests: list[str] = []
        self.before: Callable[[str], None] = lambda request: None
        """Called before a request is carried out; may raise, and then it was not."""
        self.after: Callable[[str], None] = lambda request: None
        """Called once it is; may raise, and then its answer is lost."""

    # What users and controllers do

    def put(self, resource: Resource, body: Manifest) -> Manifest:
        """Create an object as somebody else."""
        return self._create(resource, {"metadata": {}, **copy.deepcopy(body)})

    def edit(self, resource: Resource, name: str, change: Callable[[Manifest], None]) -> None:
        """Change an object as somebody else."""
        stored = self.objects[resource.plural, NAMESPACE, name]
        before = copy.deepcopy(stored)
        change(stored)
        self._touch(stored, before)

    def remove(self, resource: Resource, name: str) -> None:
        """Delete an object as somebody else."""
        del self.objects[resource.plural, NAMESPACE, name]
        self.version += 1

    def of(self, resource: Resource) -> dict[str, Manifest]:
        """Return all objects of a kind by name."""
        return {name: body for (plural, _, name), body in self.objects.items() if plural == resource.plural}

    def task(self, name: str = "backup", **spec: Any) -> Manifest:
        """Create a ScheduledTask."""
        full = {"schedule": "0 0 1 1 *", "command": ["true"], **spec}
        body = {"metadata": {"name": name}, "spec": {key: value for key, value in full.items() if value is not None}}
        return self.put(SCHEDULED_TASKS, body)

    def tick(self, minutes: int = 0, cron_job: str = "backup") -> str:
        """Have the CronJob controller start the Job of a tick, so many minutes after noon."""
        owner = self.objects[CRON_JOBS.plural, NAMESPACE, cron_job]
        nominal = NOON + timedelta(minutes=minutes)
        template = owner["spec"]["jobTemplate"]
        name = f"{cron_job}-{int(nominal.timestamp()) // 60}"
        self.put(
            JOBS,
            {
                "metadata": {
                    "name": name,
                    "labels": dict(template["metadata"]["labels"]),
                    "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": format_time(nominal)},
                    "ownerReferences": [{"uid": owner["metadata"]["uid"], "controller": True, "name": cron_job}],
                },
                "spec": copy.deepcopy(template["spec"]),
                "status": {"startTime": format_time(nominal), "ready": 1},
            },
        )
        return name

    def finish(self, job: str, *, succeeded: bool = True, reason: str = "BackoffLimitExceeded") -> None:
        """Have the Job controller finish a Job."""
        kind = "Complete" if succeeded else "Failed"
        end = {"type": kind, "status": "True", "lastTransitionTime": format_time(self.now)}
        if not succeeded:
            end |= {"reason": reason, "message": "the Job controller gave up"}

        def change(body: Manifest) -> None:
            status = body.setdefault("status", {})
            status.setdefault("startTime", format_time(self.now))
            status |= {"ready": 0, "conditions": [end]}
            if succeeded:
                status["completionTime"] = format_time(self.now)

        self.edit(JOBS, job, change)

    def ask(self, name: str = "now", task: str = "backup", **spec: Any) -> Manifest:
        """Create a TaskRun by hand."""
        return self.put(TASK_RUNS, {"metadata": {"name": name}, "spec": {"taskRef": {"name": task}, **spec}})

    # The API server

    def _create(self, resource: Resource, body: Manifest) -> Manifest:
        metadata = body["metadata"]
        metadata.setdefault("namespace", NAMESPACE)
        key = (resource.plural, metadata["namespace"], metadata["name"])
        if key in self.objects:
            raise ApiError(409, "AlreadyExists", f"{resource.plural} {metadata['name']!r} already exists")
        self.version += 1
        metadata |= {
            "uid": f"uid-{self.version}",
            "resourceVersion": str(self.version),
            "creationTimestamp": format_time(self.now),
            "generation": 1,
        }
        if resource is TASK_RUNS:
            body["spec"].setdefault("trigger", "Manual")
            body.pop("status", None)
        self.objects[key] = body
        return copy.deepcopy(body)

    def _touch(self, stored: Manifest, before: Manifest) -> None:
        if stored == before:
            return
        self.version += 1
        stored["metadata"]["resourceVersion"] = str(self.version)
        if stored.get("spec") != before.get("spec"):
            stored["metadata"]["generation"] += 1

    def _find(self, resource: Resource, namespace: str, name: str) -> Manifest:
        try:
            return self.objects[resource.plural, namespace, name]
        except KeyError:
            raise ApiError(404, "NotFound", f"{resource.plural} {name!r} not found") from None


class FakeApi:
    """The same requests as `Api`, to a cluster in memory."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest:
        return await self._answer("get", resource, lambda: self._cluster._find(resource, namespace, name))

    async def list_all(
        self, resource: Resource, namespace: str | None = None, label_selector: str = ""
    ) -> AsyncIterator[list[Manifest]]:
        wanted = [each.partition("=") for each in label_selector.split(",") if each]

        def matching() -> list[Manifest]:
            return [
                body
                for (plural, where, _), body in self._cluster.objects.items()
                if plural == resource.plural
                and namespace in (None, where)
                and all(has_label(body, label, value) for label, _, value in wanted)
            ]

        yield self._carry_out("list", resource, matching)

    async def create(self, resource: Resource, body: Manifest) -> Manifest:
        return await self._answer("create", resource, lambda: self._cluster._create(resource, copy.deepcopy(body)))

    async def create_as_given(self, resource: Resource, body: Manifest) -> Manifest:
        return await self.create(resource, body)

    async def merge_patch_status(self, resource: Resource, namespace: str, name: str, body: Manifest) -> Manifest:
        return await self.merge_patch(resource, namespace, name, body, "status")

    async def apply(self, resource: Resource, body: Manifest) -> Manifest:
        def applied() -> Manifest:
            cluster, metadata = self._cluster, body["metadata"]
            stored = cluster.objects.get((resource.plural, metadata["namespace"], metadata["name"]))
            if stored is None:
                if "uid" in metadata:
                    raise ApiError(409, "Conflict", "the object is gone")
                return cluster._create(resource, copy.deepcopy(body))
            if metadata.get("uid", stored["metadata"]["uid"]) != stored["metadata"]["uid"]:
                raise ApiError(409, "Conflict", "another uid")
            before = copy.deepcopy(stored)
            for field in ("labels", "annotations"):
                if field in metadata:
                    others = {
                        key: value for key, value in (stored["metadata"].get(field) or {}).items() if not ours(key)
                    }
                    stored["metadata"][field] = others | metadata[field]
            if "ownerReferences" in metadata:
                stored["metadata"]["ownerReferences"] = copy.deepcopy(metadata["ownerReferences"])
            for field in body.keys() - {"apiVersion", "kind", "metadata", "status"}:
                stored[field] = copy.deepcopy(body[field])
            cluster._touch(stored, before)
            return stored

        return await self._answer("apply", resource, applied)

    async def apply_status(self, resource: Resource, body: Manifest, manager: str = "timewright") -> Manifest:
        def applied() -> Manifest:
            stored = self._cluster._find(resource, body["metadata"]["namespace"], body["metadata"]["name"])
            before = copy.deepcopy(stored)
            status = stored.setdefault("status", {})
            listed = {each["type"]: each for each in status.get("conditions") or []}
            listed |= {each["type"]: each for each in body["status"].get("conditions") or []}
            status |= {**body["status"], "conditions": list(listed.values())}
            self._cluster._touch(stored, before)
            return stored

        return await self._answer("apply", resource, applied)

    async def merge_patch(
        self, resource: Resource, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        def patched() -> Manifest:
            stored = self._cluster._find(resource, namespace, name)
            version = (body.get("metadata") or {}).get("resourceVersion")
            if version not in (None, stored["metadata"]["resourceVersion"]):
                raise ApiError(409, "Conflict", f"{name!r} has been modified")
            before = copy.deepcopy(stored)
            for part in [subresource] if subresource else [key for key in body if key != "metadata"]:
                stored[part] = merged(stored.get(part), body[part])
            for part in ("labels", "annotations"):
                if part in (body.get("metadata") or {}):
                    stored["metadata"][part] = merged(stored["metadata"].get(part), body["metadata"][part])
            self._cluster._touch(stored, before)
            return stored

        return await self._answer("patch", resource, patched)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        def deleted() -> Manifest:
            stored = self._cluster.objects.get((resource.plural, namespace, name))
            if stored is not None and stored["metadata"]["uid"] == uid:
                self._cluster.remove(resource, name)
            return {}

        self._carry_out("delete", resource, deleted)

    async def _answer(self, verb: str, resource: Resource, action: Callable[[], Manifest]) -> Manifest:
        answer: Manifest = self._carry_out(verb, resource, action)
        return answer

    def _carry_out(self, verb: str, resource: Resource, action: Callable[[], Any]) -> Any:
        request = f"{verb} {resource.plural}"
        self._cluster.before(request)
        self._cluster.requests.append(request)
        answer = copy.deepcopy(action())
        self._cluster.after(request)
        return answer


def has_label(body: Manifest, label: str, value: str) -> bool:
    """Tell whether an object carries a label: with that value, where one is asked for."""
    labels = body["metadata"].get("labels") or {}
    return label in labels and value in ("", labels[label])


def ours(key: str) -> bool:
    """Tell whether a label or annotation is one that the operator alone sets, so that its applies own it."""
    return key.startswith("timewright.dev/")


def merged(old: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


class Replica:
    """One operator process: what it knows, brought up to date from the cluster before each reconciliation."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.store = Store()
        configuration = Configuration(runner=RunnerImage("timewright:1"))
        api = cast("Api", FakeApi(cluster))
        self.operator = Operator(
            api, self.store, configuration, clock=lambda: cluster.now, monotonic=lambda: cluster.now.timestamp()
        )
        self._jobs: dict[str, Manifest] = {}

    async def hear(self) -> None:
        """Learn all news, as watches tell them, at no cost in requests."""
        jobs = {body["metadata"]["uid"]: body for body in copy.deepcopy(self.cluster.of(JOBS)).values()}
        for uid, body in self._jobs.items():
            if uid not in jobs:
                body["metadata"]["resourceVersion"] = str(self.cluster.version)
                self.store.drop_job(body)
        self._jobs = jobs
        requests = list(self.cluster.requests)
        before, after = self.cluster.before, self.cluster.after
        self.cluster.before = self.cluster.after = lambda request: None
        try:
            await relist(self.operator.api, self.store, ())
        finally:
            self.cluster.before, self.cluster.after = before, after
            self.cluster.requests[:] = requests

    async def reconcile(self, name: str = "backup") -> list[str]:
        """Reconcile one task with all that is new; return the requests that it took."""
        await self.hear()
        self.cluster.requests.clear()
        await reconcile(self.operator, TaskKey(NAMESPACE, name))
        return list(self.cluster.requests)

    async def reconcile_daemon(self, name: str = "default") -> list[str]:
        """Reconcile one TaskDaemon with all that is new; return the requests that it took."""
        await self.hear()
        self.cluster.requests.clear()
        await reconcile_daemon(self.operator, DaemonKey(NAMESPACE, name))
        return list(self.cluster.requests)

    async def settle(self, name: str = "backup", rounds: int = 12) -> None:
        """Reconcile until there is nothing left to do."""
        for _ in range(rounds):
            if not await self.reconcile(name):
                return
        raise AssertionError(f"does not come to rest: {self.cluster.requests}")
