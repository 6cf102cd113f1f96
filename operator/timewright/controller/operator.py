"""The operator's process: puts the parts together and keeps them running."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from typing import Any, cast

import kopf
from prometheus_client import REGISTRY

from timewright import __version__
from timewright.cluster.api import ApiError
from timewright.cluster.logs import set_up_logging
from timewright.cluster.metrics import TaskCollector, notices
from timewright.controller import metrics
from timewright.controller.configuration import Configuration, ConfigurationError
from timewright.controller.connection import connect
from timewright.controller.context import Operator
from timewright.controller.daemons import DaemonKey
from timewright.controller.figures import daemon_figures, task_figures
from timewright.controller.handlers import register
from timewright.controller.leadership import LeadershipLost, Lease
from timewright.controller.prime import RELIST_SECONDS, Key, relist
from timewright.controller.reconcile import reconcile
from timewright.controller.reconcile_daemon import reconcile_daemon
from timewright.controller.store import Store
from timewright.controller.web import serve
from timewright.controller.work_queue import WorkQueue
from timewright.notices.courier import Courier
from timewright.notices.telling import Telling

logger = logging.getLogger(__name__)


class Process:
    """One running operator."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.store = Store()
        self.queue: WorkQueue[Key] = WorkQueue(on_error=report)
        self.primed = asyncio.Event()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            LeadershipLost: when another replica may have taken over.

        """
        metrics.queue_depth.set_function(lambda: len(self.queue))
        async with await connect() as api, serve(self.configuration.metrics_port, self.primed.is_set):
            courier = Courier(
                lambda channel, result: notices.labels(channel, result).inc(),
                allowed_hosts=self.configuration.notify_hosts,
            )
            operator = Operator(api, self.store, self.configuration, telling=Telling(courier, {}))
            self._register(operator)
            lease = Lease(
                api,
                namespace=self.configuration.operator_namespace,
                name=self.configuration.lease_name,
                identity=self.configuration.identity,
            )
            watch = asyncio.create_task(self._watch(), name="watch")
            parts = [
                asyncio.create_task(lease.lead(lambda: self._work(operator)), name="lead"),
                asyncio.create_task(self._relist(operator), name="relist"),
                asyncio.create_task(self.stop.wait(), name="stop"),
            ]
            try:
                done, _ = await asyncio.wait([watch, *parts], return_when=asyncio.FIRST_COMPLETED)
            finally:
                # kopf comes last: on its way out it cancels whatever else is left in the loop, again and again.
                await _end(parts)
                await courier.close()
                self.stop.set()
                await asyncio.gather(watch, return_exceptions=True)
            for each in done:
                each.result()

    def _register(self, operator: Operator) -> None:
        limit = self.configuration.task_metrics_limit
        REGISTRY.register(TaskCollector(lambda: len(self.store.tasks), lambda: task_figures(operator), limit))
        REGISTRY.register(metrics.DaemonCollector(lambda: daemon_figures(operator)))

    async def _watch(self) -> None:
        registry = kopf.OperatorRegistry()
        register(registry, self.store, self.queue, self._alive)
        async with asyncio.TaskGroup() as group:
            ready = asyncio.Event()
            group.create_task(
                kopf.operator(
                    registry=registry,
                    # Without a name given, kopf asks for the user's, and a numeric user has none.
                    identity=cast("Any", self.configuration.identity),
                    standalone=True,
                    clusterwide=not self.configuration.namespaces,
                    namespaces=self.configuration.namespaces,
                    liveness_endpoint=f"http://0.0.0.0:{self.configuration.liveness_port}/healthz",
                    ready_flag=ready,
                    stop_flag=self.stop,
                )
            )
            await ready.wait()
            # kopf has taken the signals to itself by now; with it alone, the Lease would not be given up.
            loop = asyncio.get_running_loop()
            for each in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(each, self.stop.set)

    async def _relist(self, operator: Operator) -> None:
        while True:
            try:
                for key in await relist(operator.api, self.store, self.configuration.namespaces):
                    self.queue.add(key)
            except ApiError as error:
                logger.warning("could not list: %s", error)
            except OSError as error:
                logger.warning("the API server cannot be reached: %s", error)
            else:
                self.primed.set()
            await asyncio.sleep(RELIST_SECONDS if self.primed.is_set() else 2.0)

    async def _work(self, operator: Operator) -> None:
        await self.primed.wait()
        for key in self.store.known_keys():
            self.queue.add(key)

        async def timed(key: Key) -> float | None:
            begin = time.monotonic()
            try:
                if isinstance(key, DaemonKey):
                    return await reconcile_daemon(operator, key)
                return await reconcile(operator, key)
            finally:
                metrics.reconcile_seconds.observe(time.monotonic() - begin)

        await self.queue.run(self.configuration.workers, timed)

    def _alive(self) -> dict[str, Any]:
        return {"tasks": len(self.store.tasks), "queue": len(self.queue)}


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their end."""
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def report(key: Key, error: Exception) -> None:
    """Log why a reconciliation failed; a conflict is no more than a sign that something has just changed."""
    metrics.reconcile_errors.inc()
    name = f"TaskDaemon {key.namespace}/{key.name}" if isinstance(key, DaemonKey) else f"{key.namespace}/{key.label}"
    if isinstance(error, ApiError) and (error.conflict or error.namespace_ends):
        logger.debug("%s: %s", name, error)
    elif isinstance(error, ApiError | OSError):
        logger.warning("%s: %s; trying again later", name, error)
    else:
        logger.error("%s: unexpected error; trying again later", name, exc_info=error)


def main() -> int:
    """Run the operator; return the exit code: 0 stopped as asked, 1 leadership lost, 2 wrong settings."""
    try:
        configuration = Configuration.from_environment(os.environ)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logging is not set up yet
        return 2
    set_up_logging(configuration.log_level, configuration.log_format)
    logger.info("timewright %s", __version__)
    # The records of thousands of tasks live long and form no cycles: looking through them every 700 allocations, which
    # is Python's default, costs a tenth of the time and finds nothing.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        asyncio.run(Process(configuration).run())
    except LeadershipLost as error:
        logger.warning("%s", error)
        return 1
    return 0
