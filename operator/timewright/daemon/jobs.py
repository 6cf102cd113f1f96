"""The Jobs of a daemon, as they are now."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from timewright.cluster.api import CONNECTIONS, PODS, Api, ApiError
from timewright.cluster.observe import observe_job, observe_pod
from timewright.daemon.documents import JobOfRun
from timewright.daemon.job_places import JobPlaces
from timewright.decisions.observed import ObservedJob, ObservedPod
from timewright.decisions.result import Result, result_of
from timewright.runner.run_result import RunResult
from timewright.runner.stop import StopRequest

Manifest = dict[str, Any]

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5

_TURNS = CONNECTIONS - 8
"""How many Jobs are created at a time. A thousand due at once leave some connections to the Lease and to statuses."""


class Jobs:
    """The Jobs of this daemon, as they are now. Every replica follows them, so that each can go on with them."""

    def __init__(self, api: Api, namespace: str, daemon: str, most: int | None = None) -> None:
        """Begin empty. `most` is how many Jobs there may be at once; None where that is not limited."""
        self.places = JobPlaces(most)
        self.api, self.namespace, self.daemon = api, namespace, daemon
        self.turns = asyncio.Semaphore(_TURNS)
        """Taken for each request that creates a Job, and for making ready what it sends."""
        self.may_act: Callable[[], bool] = lambda: False
        """Whether this process leads, and so may create Jobs."""
        self.before_delete: Callable[[str, str, StopRequest], Awaitable[object]] = _nothing
        """Awaited, with UID of the task, name of the run, and why it ends, before its Job is deleted.

        A leader that finds neither the Job of a run nor a word of its end would make it anew.
        """
        self.made: dict[str, JobOfRun] = {}
        """By the name of the run: Jobs of runs that have not been written yet."""
        self._jobs: dict[str, ObservedJob] = {}
        self._tasks: dict[str, str] = {}
        self._ended: dict[str, asyncio.Event] = {}

    def put(self, body: Manifest) -> None:
        """Take in a Job."""
        job = observe_job(body)
        self._jobs[job.name] = job
        self._tasks[job.name] = job.controller_uid or ""
        if job.finished or job.deleting:
            self._wake(job.name)
        if job.finished:
            self.places.give_back(job.name)

    def drop(self, name: str, uid: str) -> None:
        """Forget a Job."""
        known = self._jobs.get(name)
        if known is not None and known.uid == uid:
            del self._jobs[name]
            self._tasks.pop(name, None)
            self._wake(name)
            self.places.give_back(name)

    def find(self, name: str) -> ObservedJob | None:
        """Return a Job by its name."""
        return self._jobs.get(name)

    def of_task(self, uid: str) -> list[ObservedJob]:
        """Return the Jobs of a task."""
        return [self._jobs[name] for name, task in self._tasks.items() if task == uid]

    async def wait(self, name: str, seconds: float) -> None:
        """Wait until something about the end of a Job is news, but no longer than that."""
        event = self._ended.setdefault(name, asyncio.Event())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            event.clear()

    def followed(self, name: str) -> None:
        """Note that nobody waits for a Job any more."""
        self._ended.pop(name, None)

    async def pods(self, job: ObservedJob) -> list[ObservedPod]:
        """List the Pods of a Job."""
        selector = f"batch.kubernetes.io/controller-uid={job.uid}"
        pages = self.api.list_all(PODS, self.namespace, selector)
        return [observe_pod(body) async for page in pages for body in page]

    async def result(self, job: ObservedJob) -> RunResult:
        """Tell how a Job that has finished has ended."""
        pods: list[ObservedPod] = []
        for _ in range(3):
            try:
                pods = await self.pods(job)
                break
            except (ApiError, OSError) as error:
                logger.warning("Pods of Job %s/%s: %s", self.namespace, job.name, error)
                await asyncio.sleep(RETRY_SECONDS)
        return _told(result_of(job, pods), job)

    def _wake(self, name: str) -> None:
        event = self._ended.get(name)
        if event is not None:
            event.set()


async def _nothing(uid: str, run_id: str, stop: StopRequest) -> None:
    del uid, run_id, stop


def _told(result: Result, job: ObservedJob) -> RunResult:
    started = job.start_time or job.created_at
    finished = job.finished_at or datetime.now(UTC)
    return RunResult(
        result.outcome,
        result.reason,
        result.message,
        started.timestamp(),
        finished.timestamp(),
        result.exit_code,
        result.output or "",
        [each.to_manifest() for each in result.attempts],
    )
