"""Tells of runs while they go on: that they have started, and that they take long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from timewright.daemon.known import Known
from timewright.decisions.notices import Facts, Notice
from timewright.decisions.task_state import OpenPhase
from timewright.engine.executor import Executor, Running
from timewright.notices.telling import Subject, Telling
from timewright.resources.notify import NotifyRule
from timewright.resources.vocabulary import NoticeEvent

SECONDS = 0.5
"""How often to look. A run that is over by then has not been seen to start, and nothing is told of that."""


class LongRuns:
    """Watches the runs of tasks that ask for it; others cost a look at their task."""

    def __init__(self, known: Known, telling: Telling) -> None:
        """Tell of runs of tasks that are known."""
        self._known, self._telling = known, telling
        self._seen: dict[tuple[str, str], tuple[float, set[int]]] = {}
        """By task and run: since when it was seen to run, by the clock, and the rules by which it was told of."""

    async def run(self, executor_now: Callable[[], Executor | None]) -> None:
        """Look again and again, until cancelled. `executor_now` is asked for what runs them, if anything does yet."""
        while True:
            await asyncio.sleep(SECONDS)
            executor = executor_now()
            if executor is None:
                continue
            if self._seen or any(rule_is_about_running(each) for each in self._rules_of_all()):
                self.look(executor)

    def look(self, executor: Executor) -> None:
        """Look at the runs that are active now."""
        seen: dict[tuple[str, str], tuple[float, set[int]]] = {}
        for at, running in list(executor.active.items()):
            task = self._known.tasks.get(at[0])
            rules = task.read.spec.notify if task is not None else ()
            if task is None or not rules or running.waits or running.run.phase is not OpenPhase.RUNNING:
                continue
            since, told = seen[at] = self._seen.get(at) or (time.time(), set())
            subject = Subject(at[0], self._known.namespace, task.name, rules)
            if at not in self._seen:
                self._telling.tell(subject, [Notice(NoticeEvent.STARTED, _facts(running, since))])
            for index, rule in enumerate(rules):
                limit = rule.long_running_seconds
                if limit is not None and index not in told and time.time() - since >= limit:
                    told.add(index)
                    self._telling.tell_by(subject, index, Notice(NoticeEvent.LONG_RUNNING, _facts(running, since)))
        self._seen = seen

    def _rules_of_all(self) -> list[NotifyRule]:
        return [rule for task in self._known.tasks.values() for rule in task.read.spec.notify]


def rule_is_about_running(rule: NotifyRule) -> bool:
    """Tell whether a rule wants to be told of runs that go on."""
    return rule.long_running_seconds is not None or NoticeEvent.STARTED in rule.wanted


def _facts(running: Running, since: float) -> Facts:
    return Facts(running.run.run_id, running.run.scheduled_at, started_at=running.run.started_at or since)
