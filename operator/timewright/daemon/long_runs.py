"""Tells of runs while they go on: that they have started, and that they take long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from timewright.daemon.task import ClusterTask
from timewright.decisions.notices import Facts, Notice
from timewright.decisions.task_state import OpenPhase
from timewright.engine.executor import Executor
from timewright.engine.running import Running
from timewright.notices.telling import Subject, Telling
from timewright.resources.vocabulary import NoticeEvent

SECONDS = 0.5
"""How often to look. A run that is over by then has not been seen to start, and nothing is told of that."""


class LongRuns:
    """Watches the runs of tasks that ask for it; others cost a look at their task."""

    def __init__(self, namespace: str, telling: Telling) -> None:
        """Tell of runs in a namespace."""
        self._namespace, self._telling = namespace, telling
        self._seen: dict[tuple[str, str], tuple[float, set[int]]] = {}
        """By task and run: since when it was seen to run, by the clock, and the rules by which it was told of."""

    async def run(self, executor_now: Callable[[], Executor | None]) -> None:
        """Look again and again, until cancelled. `executor_now` is asked for what runs them, if anything does yet."""
        while True:
            await asyncio.sleep(SECONDS)
            executor = executor_now()
            if executor is not None and (executor.active or self._seen):
                self.look(executor)

    def look(self, executor: Executor) -> None:
        """Look at the runs that are active now."""
        seen: dict[tuple[str, str], tuple[float, set[int]]] = {}
        for at, running in list(executor.active.items()):
            task = running.task
            rules = task.notify if isinstance(task, ClusterTask) else ()
            if not rules or running.waits or running.run.phase is not OpenPhase.RUNNING:
                continue
            since, told = seen[at] = self._seen.get(at) or (time.time(), set())
            subject = Subject(at[0], self._namespace, task.name, rules)
            if at not in self._seen:
                self._telling.tell(subject, [Notice(NoticeEvent.STARTED, _facts(running, since))])
            for index, rule in enumerate(rules):
                limit = rule.long_running_seconds
                if limit is not None and index not in told and time.time() - since >= limit:
                    told.add(index)
                    self._telling.tell_by(subject, index, Notice(NoticeEvent.LONG_RUNNING, _facts(running, since)))
        self._seen = seen


def _facts(running: Running, since: float) -> Facts:
    return Facts(running.run.run_id, running.run.scheduled_at, started_at=running.run.started_at or since)
