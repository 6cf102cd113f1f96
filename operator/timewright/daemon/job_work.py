"""Runs that are Jobs: created at their tick, followed to their end, and removed when nobody wants them any more."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

from timewright.cluster.api import JOBS, ApiError
from timewright.cluster.observe import observe_job
from timewright.daemon.documents import JobOfRun
from timewright.daemon.jobs import RETRY_SECONDS, Jobs
from timewright.daemon.task import ClusterTask, JobTemplate
from timewright.decisions.observed import ObservedJob
from timewright.decisions.result import Obstacle, obstacle_of
from timewright.desired import names
from timewright.desired.tick_job import build_tick_job
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.runner.context import RunContext
from timewright.runner.elsewhere import Elsewhere
from timewright.runner.run_result import RunResult
from timewright.runner.stop import StopRequest

Manifest = dict[str, Any]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
"""How often a Job whose Pod does not get going is looked at."""


class JobWork(Elsewhere):
    """What a task's runs are where each is a Job."""

    def __init__(self, jobs: Jobs, task: ClusterTask, template: JobTemplate, image_pull_deadline: int) -> None:
        """Make the Jobs of a task from its template."""
        self.name = f"Job of {task.name}"
        self._jobs, self._task, self._template = jobs, task, template
        self._pull_deadline = image_pull_deadline
        self.uids: dict[str, str] = {}
        """UIDs of TaskRuns made by hand, by their names: the Jobs' names follow from them."""

    async def carry_out(self, context: RunContext, stop: StopRequest) -> RunResult:
        """Create the Job once there is room for it, or find it, and wait for its end."""
        name = self._name(context)
        began = time.time()
        known = self._jobs.find(name)
        if known is not None and known.controller_uid == self._task.key:
            self._jobs.places.take_at_once(name)
        elif not await self._jobs.places.take(name, stop):
            return _ended(Outcome.CANCELLED, stop.reason.value, stop.message, began)
        try:
            found = await self._create(name, context, stop)
            if isinstance(found, RunResult):
                return found
            self._jobs.made[context.run_id] = JobOfRun(found.name, found.uid)
            return await self._follow(found, context.run_id, stop, began)
        finally:
            self._jobs.places.give_back(name)
            self._jobs.followed(name)

    def _name(self, context: RunContext) -> str:
        if context.trigger is Trigger.MANUAL:
            return names.manual_job_name(context.run_id, self.uids.get(context.run_id, ""))
        return context.run_id

    def _manifest(self, name: str, context: RunContext) -> Manifest:
        by_hand = context.trigger is Trigger.MANUAL
        return build_tick_job(
            self._template.parsed(),
            name=name,
            namespace=self._jobs.namespace,
            task_name=self._task.name,
            task_uid=self._task.key,
            daemon=self._jobs.daemon,
            scheduled_at=int(context.scheduled_at.timestamp()),
            run_name=context.run_id if by_hand else None,
            parameters=context.parameters if by_hand else None,
        )

    async def _create(self, name: str, context: RunContext, stop: StopRequest) -> ObservedJob | RunResult:
        """Create the Job. Its name follows from what it is for, so it is made once however often this is tried."""
        began = time.time()
        is_in_doubt = False  # whether it may be there already: created by a request without an answer, or by another
        while True:
            try:
                if not is_in_doubt:
                    async with self._jobs.turns:
                        return await self._create_now(name, context, stop, began)
                found = await self._existing(name)
                if found is not None:
                    return found
                is_in_doubt = False
            except ApiError as error:
                is_in_doubt = True
                if error.conflict:
                    continue
                if error.refused or error.forbidden or error.not_found:
                    text = f"Job {name!r} may not be created: {error.message}"
                    return _ended(Outcome.FAILED, Reason.JOB_REFUSED.value, text, began)
                logger.warning("Job %s/%s: %s; trying again", self._jobs.namespace, name, error)
            except OSError as error:
                is_in_doubt = True
                logger.warning("Job %s/%s: %s; trying again", self._jobs.namespace, name, error or type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _create_now(
        self, name: str, context: RunContext, stop: StopRequest, began: float
    ) -> ObservedJob | RunResult:
        """Create the Job, unless that must not be any more. Raises ApiError and OSError."""
        if stop.requested:
            return _ended(Outcome.CANCELLED, stop.reason.value, stop.message, began)
        if not self._jobs.may_act():
            text = "the Job was not created in time: the API server could not be reached, or another replica leads"
            return _ended(Outcome.MISSED, Reason.DOWNTIME.value, text, began)
        body = self._manifest(name, context)
        return observe_job(await self._jobs.api.create_as_given(JOBS, body))

    async def _existing(self, name: str) -> ObservedJob | None:
        """Return the Job of that name if it is ours; one of somebody else's has to go first."""
        try:
            job = observe_job(await self._jobs.api.get(JOBS, self._jobs.namespace, name))
        except ApiError as error:
            if not error.not_found:
                raise
            return None
        if job.controller_uid == self._task.key:
            return job
        logger.warning("Job %s/%s is somebody else's; its tick waits for the name", self._jobs.namespace, name)
        return None

    async def _follow(self, job: ObservedJob, run_id: str, stop: StopRequest, began: float) -> RunResult:
        """Wait for the end of a Job, whoever ends it."""
        stopped = asyncio.ensure_future(self._delete_on(stop, job, run_id))
        try:
            while True:
                known = self._jobs.find(job.name)
                if known is not None and known.uid == job.uid:
                    job = known
                    if job.finished:
                        return await self._jobs.result(job)
                gone = known is None and time.time() - began > LOOK_SECONDS and not await self._is_there(job)
                if gone or job.deleting:
                    if stop.requested:
                        return _ended(Outcome.CANCELLED, stop.reason.value, stop.message, began)
                    text = f"Job {job.name!r} was deleted before it finished"
                    return _ended(Outcome.CANCELLED, Reason.JOB_DELETED.value, text, began)
                if known is not None:
                    obstacle = await self._hopeless(job)
                    if obstacle is not None:
                        await self._delete(job)
                        return _ended(Outcome.FAILED, obstacle.reason, obstacle.message, began)
                await self._jobs.wait(job.name, LOOK_SECONDS)
        finally:
            stopped.cancel()

    async def _hopeless(self, job: ObservedJob) -> Obstacle | None:
        """Ask the Pods of a Job that does not get going what keeps them; return what will not pass in time."""
        if job.ready or job.suspended or job.start_time is None:
            return None
        waited = (datetime.now(UTC) - job.start_time).total_seconds()
        if waited < LOOK_SECONDS or self._pull_deadline == 0:
            return None
        try:
            obstacle = obstacle_of(await self._jobs.pods(job))
        except (ApiError, OSError):
            return None
        if obstacle is None or obstacle.reason != Reason.IMAGE_PULL_FAILED.value:
            return None
        return obstacle if obstacle.hopeless or waited >= self._pull_deadline else None

    async def _is_there(self, job: ObservedJob) -> bool:
        try:
            body = await self._jobs.api.get(JOBS, self._jobs.namespace, job.name)
        except ApiError as error:
            return not error.not_found
        except OSError:
            return True
        self._jobs.put(body)
        return bool(body["metadata"]["uid"] == job.uid)

    async def _delete_on(self, stop: StopRequest, job: ObservedJob, run_id: str) -> None:
        await stop.wait()
        # Who was deposed without knowing it yet would end a run that another leader follows.
        deleted = self._jobs.may_act() and await self._end(job, run_id, stop)
        while not deleted:
            await asyncio.sleep(RETRY_SECONDS)
            deleted = self._jobs.may_act() and await self._end(job, run_id, stop)

    async def _end(self, job: ObservedJob, run_id: str, stop: StopRequest) -> bool:
        try:
            await self._jobs.before_delete(self._task.key, run_id, stop)
        except (ApiError, OSError) as error:
            logger.warning("TaskRun %s/%s: %s", self._jobs.namespace, run_id, error or type(error).__name__)
            return False
        return await self._delete(job)

    async def _delete(self, job: ObservedJob) -> bool:
        try:
            await self._jobs.api.delete(JOBS, self._jobs.namespace, job.name, job.uid)
        except (ApiError, OSError) as error:
            logger.warning("Job %s/%s cannot be deleted: %s", self._jobs.namespace, job.name, error)
            return False
        return True


def _ended(outcome: Outcome, reason: str, message: str, began: float) -> RunResult:
    return RunResult(outcome, reason, message, began, time.time())
