"""A cluster in memory whose changes can be watched, and replicas of the daemon beside it, in one process."""

from __future__ import annotations

import asyncio
import copy
import functools
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Self, TypeVar, cast

from tests.unit.controller.cluster import Cluster
from tests.unit.storage.fake_cluster import ReplacingApi
from timewright.cluster.api import JOBS, SCHEDULED_TASKS, TASK_RUNS, Api, ApiError, Resource
from timewright.daemon.configuration import Configuration
from timewright.daemon.process import Process
from timewright.desired.runner_image import RunnerImage

Manifest = dict[str, Any]
Answer = TypeVar("Answer")

NAMESPACE = "shop"


class LiveCluster(Cluster):
    """Tells of each change to those who watch; its clock is the real one."""

    def __init__(self) -> None:
        super().__init__()
        self.watchers: list[tuple[str, str, asyncio.Queue[tuple[str, Manifest]]]] = []

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @now.setter
    def now(self, instant: datetime) -> None:
        pass

    def _create(self, resource: Resource, body: Manifest) -> Manifest:
        created = super()._create(resource, body)
        self._tell("ADDED", resource.plural, created)
        return created

    def _touch(self, stored: Manifest, before: Manifest) -> None:
        super()._touch(stored, before)
        if stored != before:
            plural = next(key[0] for key, body in self.objects.items() if body is stored)
            self._tell("MODIFIED", plural, stored)

    def remove(self, resource: Resource, name: str) -> None:
        body = self.objects[resource.plural, NAMESPACE, name]
        super().remove(resource, name)
        gone = copy.deepcopy(body)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._tell("DELETED", resource.plural, gone)

    def _tell(self, kind: str, plural: str, body: Manifest) -> None:
        for of, selector, queue in self.watchers:
            if of == plural and _matches(body, selector):
                queue.put_nowait((kind, copy.deepcopy(body)))

    def daemon_task(self, name: str = "task", schedule: str = "* * * * * *", **spec: Any) -> Manifest:
        """Create a ScheduledTask of mode Daemon."""
        return self.task(name, mode="Daemon", schedule=schedule, **spec)

    def status(self, name: str = "task") -> Manifest:
        """Return the status of a task."""
        found: Manifest = self.of(SCHEDULED_TASKS)[name].get("status") or {}
        return found

    def runs(self, task: str = "task") -> dict[str, Manifest]:
        """Return the TaskRuns of a task by their names."""
        return {name: body for name, body in self.of(TASK_RUNS).items() if body["spec"]["taskRef"]["name"] == task}

    def jobs(self) -> dict[str, Manifest]:
        """Return all Jobs by their names."""
        return self.of(JOBS)


class LiveApi(ReplacingApi):
    """The requests of one replica. A replica that is cut off reaches nothing and hears nothing."""

    def __init__(self, cluster: LiveCluster) -> None:
        super().__init__(cluster)
        self.live = cluster

    async def list_pages(
        self, resource: Resource, namespace: str | None = None, label_selector: str = ""
    ) -> AsyncIterator[Manifest]:
        if self.away:
            raise ConnectionError("the API server is away")
        items = [
            copy.deepcopy(body)
            for (plural, _, _), body in self.live.objects.items()
            if plural == resource.plural and _matches(body, label_selector)
        ]
        yield {"metadata": {"resourceVersion": str(self.live.version)}, "items": items}

    async def watch(
        self,
        api: object,
        resource: Resource,
        namespace: str | None,
        *,
        label_selector: str,
        version: str,
        seconds: int,
        silence: float,
    ) -> AsyncIterator[tuple[str, Manifest]]:
        if int(version) != self.live.version:
            raise ApiError(410, "Expired", "too old")
        queue: asyncio.Queue[tuple[str, Manifest]] = asyncio.Queue()
        entry = (resource.plural, label_selector, queue)
        self.live.watchers.append(entry)
        try:
            while True:
                event = await queue.get()
                if self.away:
                    raise ConnectionError("the API server is away")
                yield event
        finally:
            self.live.watchers.remove(entry)


class Replica:
    """One replica of the daemon. Use as an async context manager: it leads, or stands by, until the end."""

    def __init__(self, cluster: LiveCluster, name: str = "pod-1", **settings: Any) -> None:
        self.api = LiveApi(cluster)
        self.process = Process(
            Configuration(
                namespace=NAMESPACE,
                daemon="default",
                pod_name=name,
                runner=RunnerImage("timewright:1"),
                **{"lease_seconds": 4, "drain_seconds": 3.0, "writes_per_minute": 60_000, **settings},
            )
        )
        self.life: asyncio.Task[bool] | None = None
        self._killed = False

    async def __aenter__(self) -> Self:
        self.life = asyncio.ensure_future(self.process.live(cast("Api", self.api), self.api.watch))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    @property
    def leads(self) -> bool:
        """Whether it leads."""
        return self.process.leader is not None and self.process.leader.executor is not None

    async def end(self) -> bool:
        """Ask it to end, as SIGTERM does, and wait until it has."""
        assert self.life is not None
        self.process.stop.set()
        if self._killed:
            return False
        return await asyncio.wait_for(self.life, 30)

    async def kill(self) -> None:
        """End it at once, with everything that runs in it."""
        assert self.life is not None
        self._killed = self.api.away = True
        leader = self.process.leader
        for task in asyncio.all_tasks():
            coroutine = task.get_coro()
            frame = getattr(coroutine, "cr_frame", None)
            owner = None if frame is None else _owner(frame.f_locals)
            if task is not asyncio.current_task() and _belongs(owner, self, leader):
                task.cancel()
        self.life.cancel()
        await asyncio.gather(self.life, return_exceptions=True)


def _owner(local: dict[str, Any]) -> object:
    """Return whose work a coroutine does."""
    work = local.get("work")  # of `engine.beside.keep_going`
    if isinstance(work, functools.partial):
        return getattr(work.func, "__self__", None) or next(iter(work.args), None)
    return local.get("self", getattr(work, "__self__", None))


def _belongs(owner: object, replica: Replica, leader: Any) -> bool:
    parts: list[object] = [replica.process, *replica.process.informers]
    if leader is not None:
        parts += [leader, *vars(leader).values(), *vars(leader.tenure).values()]
        parts.append(getattr(leader.executor, "_ledger", None))
    return owner is not None and any(owner is part for part in parts)


async def until(ask: Callable[[], Answer], seconds: float = 20) -> Answer:
    """Wait for an answer that is true."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r}"
        await asyncio.sleep(0.02)
    return answer


def _matches(body: Manifest, selector: str) -> bool:
    label, _, value = selector.partition("=")
    labels = body["metadata"].get("labels") or {}
    return not label or (label in labels and (not value or labels[label] == value))
