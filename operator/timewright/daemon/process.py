"""One replica: it keeps informed, stands by for the Lease, and leads while it has it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
from typing import Any, NoReturn

from prometheus_client import REGISTRY

from timewright.cluster import metrics
from timewright.cluster.api import JOBS, SCHEDULED_TASKS, TASK_RUNS, Api, connect
from timewright.cluster.informer import Informer
from timewright.cluster.streaming import watch
from timewright.daemon.configuration import Configuration
from timewright.daemon.figures import Figures, lock_wait
from timewright.daemon.history import Destination, FullHistory
from timewright.daemon.jobs import Jobs
from timewright.daemon.known import Known
from timewright.daemon.leader import Leader
from timewright.daemon.long_runs import LongRuns
from timewright.daemon.loop_watch import LoopWatch
from timewright.daemon.modules import import_all, module_of
from timewright.daemon.outcomes import Outcomes
from timewright.daemon.status import tell_status
from timewright.daemon.tenure import Parts
from timewright.daemon.web import serve
from timewright.desired import names
from timewright.engine.beside import Lasting, beside
from timewright.engine.executor import Executor
from timewright.notices.courier import Courier
from timewright.notices.telling import Telling
from timewright.storage.kubernetes.lease import Lease
from timewright.storage.kubernetes.page import UnreadableLease, journal_of
from timewright.storage.location import archive_of
from timewright.storage.protocol import OwnershipLost, StoreError

logger = logging.getLogger(__name__)

STANDBY_SECONDS = 0.5
"""How often a replica that stands by looks at the Lease; once more when it would be over."""

_DANGER = 0.4
"""What part of its duration a Lease has left when whoever keeps it from being renewed is interrupted."""


class Process:
    """One running replica."""

    def __init__(self, configuration: Configuration) -> None:
        """Begin knowing nothing."""
        self.configuration = configuration
        self.known = Known(
            configuration.namespace, configuration.daemon, configuration.runner, slots=configuration.lock_slots
        )
        self.stop = asyncio.Event()
        self.leader: Leader | None = None
        self.informers: list[Informer] = []
        self._unreadable: str | None = None
        """What is wrong with what is written on the Lease, if anything is: then no replica can lead."""
        self.figures = Figures(self.known)
        self.courier = Courier(lambda channel, result: metrics.notices.labels(channel, result).inc())
        self.telling = Telling(self.courier, os.environ)
        self.figures.waiting_notices = lambda: self.courier.waiting
        self.loop_watch = LoopWatch(self._executor, self._is_lease_in_danger)
        self.figures.held_by = lambda: self.loop_watch.held_by

    async def run(self) -> bool:
        """Run until SIGTERM or SIGINT; return whether it ended as asked, rather than by losing the Lease."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        ports = self.configuration.probes_port, self.configuration.metrics_port
        REGISTRY.register(self.figures)
        limit = self.configuration.task_metrics_limit
        REGISTRY.register(metrics.TaskCollector(self.figures.task_count, self.figures.tasks, limit))
        async with await connect() as api, serve(*ports, self.unhealthy, self.unready):
            api.on_request = lambda method, resource: metrics.api_requests.labels(method, resource).inc()
            return await self.live(api)

    async def live(self, api: Api, watching: Any = watch) -> bool:
        """Do the same until `stop` is set, with an API to speak to and a way to watch it."""
        jobs = Jobs(api, self.configuration.namespace, self.configuration.daemon, self.configuration.most_jobs)
        try:
            with self.loop_watch:
                async with beside(self._inform(api, jobs, watching), logger.warning):
                    await self._until_stop(asyncio.gather(*(each.synced.wait() for each in self.informers)))
                    return await self._stand_by(api, jobs)
        finally:
            await self.courier.close()

    def unhealthy(self) -> str | None:
        """Tell what is wrong with this process for good, if anything is."""
        still = self.loop_watch.standing_still
        return f"the event loop has stood still for {still:.0f} s" if still > 30 else None

    def unready(self) -> str | None:
        """Tell what keeps it from taking over when it is its turn, if anything does."""
        is_synced = self.informers and all(each.synced.is_set() for each in self.informers)
        return self._unreadable if is_synced else "still listing"

    def _inform(self, api: Api, jobs: Jobs, watching: Any) -> list[Lasting]:
        known, namespace = self.known, self.configuration.namespace
        selector = f"{names.DAEMON_LABEL}={self.configuration.daemon}"
        self.informers = [
            Informer(api, JOBS, namespace, jobs.put, jobs.drop, selector, watching),
            Informer(api, TASK_RUNS, namespace, known.put_run, known.drop_run, "", watching),
            Informer(api, SCHEDULED_TASKS, namespace, self._put_task, self._drop_task, "", watching, self._prepare),
        ]
        return [each.run for each in self.informers]

    async def _prepare(self, bodies: list[dict[str, Any]]) -> None:
        """Import what tasks call that are about to be read."""
        news = (body.get("spec") or {} for body in bodies if self.known.is_news(body))
        await import_all({name for spec in news if (name := module_of(spec, self.known.daemon))})

    def _put_task(self, body: dict[str, Any]) -> None:
        self.figures.see_task(body)
        self.known.put_task(body)

    def _drop_task(self, name: str, uid: str) -> None:
        self.known.drop_task(name, uid)
        self.figures.forget_task(uid)

    async def _stand_by(self, api: Api, jobs: Jobs) -> bool:
        """Wait for the Lease, and lead once it is there."""
        lease = Lease(
            api,
            namespace=self.configuration.namespace,
            name=self.configuration.lease_name,
            identity=f"{self.configuration.pod_name}/{os.urandom(4).hex()}",
            seconds=self.configuration.lease_seconds,
        )
        metrics.leader.labels(self.configuration.lease_name).set(0)
        while not self.stop.is_set():
            try:
                if await lease.try_to_take():
                    return await self._lead(api, jobs, lease)
                journal_of(lease)
                self._unreadable = None
            except UnreadableLease as error:
                self._unreadable = str(error)
                logger.warning("%s", error)
            except StoreError as error:
                logger.warning("%s", error)
            await self._until_stop(asyncio.sleep(min(STANDBY_SECONDS, lease.seconds_left or STANDBY_SECONDS)))
        return True

    async def _lead(self, api: Api, jobs: Jobs, lease: Lease) -> bool:
        logger.info("leading TaskDaemon %s: %d tasks known", self.configuration.daemon, len(self.known.tasks))
        history = self._history()
        self.leader = leader = Leader(Parts(api, self.configuration, self.known, jobs, history), lease)
        outcomes, long_runs = Outcomes(self.known, self.telling), LongRuns(self.configuration.namespace, self.telling)
        self._unreadable = None
        leader.on_lock_wait = lambda seconds: lock_wait.observe((seconds,))
        leader.on_outcomes, leader.store.on_unlisted = outcomes.note, outcomes.note_unlisted
        figures, is_leader = self.figures, metrics.leader.labels(self.configuration.lease_name)
        figures.leader, figures.outcomes, figures.lease = leader, outcomes, lease
        lasting: tuple[Lasting, ...] = (
            functools.partial(tell_status, api, self.configuration, leader, figures.lag),
            outcomes.run,
            functools.partial(long_runs.run, lambda: leader.executor),
            *([] if history is None else [history.run]),
        )
        is_leader.set(1)
        try:
            async with beside(lasting, logger.warning):
                await leader.run(self.stop)
        except OwnershipLost as error:
            logger.warning("%s", error)
            return False
        finally:
            is_leader.set(0)
            figures.leader = figures.lease = None
            outcomes.settle_all()
            if history is not None:
                await history.close()
        return not leader.is_lost

    def _history(self) -> FullHistory | None:
        """Return what takes runs into the database, if there is to be one."""
        url, source = self.configuration.store, self.configuration.store_source
        if url is not None:
            destination = Destination(functools.partial(archive_of, url), self.configuration.history_max_age)
        elif source is not None:
            destination = Destination(functools.partial(_no_archive, source))
        else:
            return None
        return FullHistory(self.known, destination)

    def _executor(self) -> Executor | None:
        return None if self.leader is None else self.leader.executor

    def _is_lease_in_danger(self) -> bool:
        lease = self.figures.lease
        return lease is not None and lease.seconds_left < _DANGER * lease.seconds

    async def _until_stop(self, work: object) -> None:
        """Wait for something, but not once this process is asked to end."""
        waiting = [asyncio.ensure_future(work), asyncio.ensure_future(self.stop.wait())]  # type: ignore[call-overload]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waiting, return_exceptions=True)


def _no_archive(source: str) -> NoReturn:
    name, _, key = source.partition("/")
    text = f"spec.storage.postgresql: key {key!r} of Secret {name!r} was not there when this Pod began"
    raise StoreError(f"{text}; add it, then restart the daemon's Deployment")
