"""Shows the logs of a run's Pods as they are written."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, TextIO

import aiohttp

from timewright.cli.watching import changes
from timewright.cluster.api import PODS, Api, ApiError
from timewright.cluster.streaming import lines
from timewright.desired.environment import JOB_NAME_LABEL

Manifest = dict[str, Any]

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_FINISH_SECONDS = 10.0
_RETRY_SECONDS = 1.0


class LogFollower:
    """Follows the Pods of one Job, each from the start of its container."""

    def __init__(self, api: Api, namespace: str, out: TextIO) -> None:
        """Write logs to `out` and remarks to stderr. Nothing happens before `start`."""
        self._api = api
        self._namespace = namespace
        self._out = out
        self._job_name = ""
        self._selector = ""
        self._watching: asyncio.Task[None] | None = None
        self._logs: dict[str, asyncio.Task[None]] = {}
        self._told: set[str] = set()

    def start(self, job_name: str) -> None:
        """Begin; later calls change nothing."""
        if self._watching is None:
            self._selector = f"{JOB_NAME_LABEL}={job_name}"
            self._job_name = job_name
            self._watching = asyncio.ensure_future(self._watch())

    async def finish(self) -> None:
        """Show what is left of the logs of a run that has ended."""
        if self._watching is None:
            return
        # The Pods may have ended faster than the watch told of them.
        with contextlib.suppress(OSError):
            try:
                async for pods in self._api.list_all(PODS, self._namespace, self._selector):
                    for pod in pods:
                        self._look_at(pod)
            except ApiError as error:
                self._no_logs(error)
        if self._logs:
            await asyncio.wait(self._logs.values(), timeout=_FINISH_SECONDS)

    def cancel(self) -> None:
        """Stop at once."""
        for task in (self._watching, *self._logs.values()):
            if task is not None:
                task.cancel()

    async def _watch(self) -> None:
        selector = {"labelSelector": self._selector}
        try:
            async for change in changes(self._api, PODS, self._namespace, selector):
                if not change.deleted:
                    self._look_at(change.manifest)
        except ApiError as error:
            self._no_logs(error)

    def _no_logs(self, error: ApiError) -> None:
        self._remark(f"no logs: the Pods of Job {self._job_name} cannot be watched: {error.message}")

    def _look_at(self, pod: Manifest) -> None:
        name, container = pod["metadata"]["name"], container_of(pod)
        if name in self._logs:
            return
        states = (pod.get("status") or {}).get("containerStatuses") or []
        state = next((each.get("state") or {} for each in states if each["name"] == container), {})
        if "running" in state or "terminated" in state:
            prefix = f"[{name}] " if self._logs else ""
            self._logs[name] = asyncio.ensure_future(self._show(name, container, prefix))
        elif "waiting" in state and state["waiting"].get("reason") not in (
            None,
            "ContainerCreating",
            "PodInitializing",
        ):
            waiting = state["waiting"]
            self._remark(f"Pod {name} waits: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": "))

    async def _show(self, pod: str, container: str, prefix: str) -> None:
        """Show one container's log to its end, once each line, however often the connection breaks."""
        seen = ""
        while True:
            query = {"container": container, "follow": "true", "timestamps": "true"}
            if seen:
                query["sinceTime"] = seen
            try:
                async for line in lines(self._api, PODS.path(self._namespace, pod, "log"), query, silence=None):
                    stamp, _, text = line.decode(errors="replace").partition(" ")
                    if stamp > seen:
                        seen = stamp
                        self._out.write(f"{prefix}{text}\n")
                        self._out.flush()
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            except ApiError as error:
                self._remark(f"no log of Pod {pod}: {error.message}")
            return

    def _remark(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


def container_of(pod: Manifest) -> str:
    """Return the container whose log matters: the one that the Pod itself names, `task`, or the first."""
    named = (pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER)
    names: list[str] = [each["name"] for each in pod["spec"]["containers"]]
    return next((name for name in names if name == named), "task" if "task" in names else names[0])
