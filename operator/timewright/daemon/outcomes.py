"""What becomes of runs, taken in by batches: counted for metrics, and told to those whom their tasks name.

A run costs its process no more than an entry in a list; the rest follows some moments later, many at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import Counter as CounterMetric

from timewright.cluster import metrics
from timewright.daemon.known import Known
from timewright.daemon.task import ClusterTask
from timewright.decisions.lagging import LATE_SECONDS
from timewright.decisions.notices import Facts, failing_streak, notices_of, streak_after
from timewright.engine.task import Task
from timewright.notices.telling import Subject, Telling
from timewright.resources.notify import NotifyRule
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome, Trigger
from timewright.storage.records import RunRecord

ticks_missed = CounterMetric("timewright_ticks_missed", "Ticks that were not started in time.")

SECONDS = 0.25
"""How often what has ended is taken in."""

WINDOW_SECONDS = 60

_BATCH = 1_000
"""How many entries are taken in before the event loop may turn to something else."""


class Outcomes:
    """The outcomes of one leadership."""

    def __init__(self, known: Known, telling: Telling) -> None:
        """Tell what there is to tell of the tasks that are known."""
        self._known, self._telling = known, telling
        self._pending: deque[tuple[Task, Sequence[RunRecord]]] = deque()
        self._streaks: dict[str, int] = {}
        self._seconds: deque[tuple[float, int, int]] = deque()
        """When a batch was taken in, how many of it were starts of ticks, and how many of these were late."""

    def note(self, task: Task, runs: Sequence[RunRecord]) -> None:
        """Take note of runs of a task that have their outcome."""
        self._pending.append((task, runs))

    def note_unlisted(self, ended: Mapping[Outcome, int]) -> None:
        """Count ticks that have ended without a record of their own."""
        for outcome, count in ended.items():
            metrics.runs.labels(outcome.value, "Other", Trigger.SCHEDULE.value).inc(count)
        ticks_missed.inc(ended.get(Outcome.MISSED, 0))

    async def run(self) -> None:
        """Take in what has ended, until cancelled."""
        while True:
            await asyncio.sleep(SECONDS)
            while self._pending:
                self.settle()
                await asyncio.sleep(0)

    def settle_all(self) -> None:
        """Take in all that has ended."""
        while self._pending:
            self.settle()

    def settle(self) -> None:
        """Take in a batch of what has ended."""
        pending, streaks = self._pending, self._streaks
        alike: dict[tuple[int, str, int], list[RunRecord]] = {}
        delays: list[float] = []
        started = late = 0
        for _ in range(min(_BATCH, len(pending))):
            task, runs = pending.popleft()
            for run in runs:
                # Words of an enumeration are hashed by Python code, their identities are not.
                at = id(run.outcome), run.reason, id(run.trigger)
                if at in alike:
                    alike[at].append(run)
                else:
                    alike[at] = [run]
                if run.started_at is not None:
                    delay = run.started_at - run.scheduled_at - run.jitter
                    delays.append(delay)
                    if run.trigger is Trigger.SCHEDULE:
                        started += 1
                        late += delay > LATE_SECONDS and not _may_wait(task)
            if len(runs) != 1 or run.outcome is not Outcome.SUCCEEDED or streaks.get(task.key) != 0 or _rules(task):
                self._follow(task, runs)
        metrics.start_delay.observe(delays)
        if started:
            self._seconds.append((time.monotonic(), started, late))
        self._count(alike.values())

    def starts(self) -> tuple[int, int]:
        """Return how many runs of ticks have started in the last minute, and how many of these late."""
        oldest = time.monotonic() - WINDOW_SECONDS
        while self._seconds and self._seconds[0][0] < oldest:
            self._seconds.popleft()
        return sum(each[1] for each in self._seconds), sum(each[2] for each in self._seconds)

    def streak(self, key: str, without: Sequence[RunRecord] = ()) -> int:
        """Return how many runs of a task have failed one after the other: at first, as its TaskRuns tell."""
        known = self._streaks.get(key)
        if known is not None:
            return known
        task = self._known.tasks.get(key)
        if task is None:
            return 0
        left_out = {run.run_id for run in without}
        found = list((self._known.runs.get(task.name) or {}).items())
        ended = sorted((run.finished_at, name) for name, run in found if run.outcome and name not in left_out)
        outcomes = dict(found)
        streak = failing_streak(outcome for _, name in ended if (outcome := outcomes[name].outcome) is not None)
        self._streaks[key] = streak
        return streak

    def forget(self, key: str) -> None:
        """Forget a task that is gone."""
        self._streaks.pop(key, None)
        self._telling.forget(key)

    def _count(self, all_alike: Iterable[Sequence[RunRecord]]) -> None:
        for alike in all_alike:
            run = alike[0]
            if run.outcome is None:
                continue
            labels = run.outcome.value, metrics.known_reason(run.reason), run.trigger.value
            metrics.runs.labels(*labels).inc(len(alike))
            if run.outcome is Outcome.MISSED:
                ticks_missed.inc(len(alike))

    def _follow(self, task: Task, runs: Sequence[RunRecord]) -> None:
        before = streak = self.streak(task.key, runs)
        for run in runs:
            if run.outcome is not None:
                streak = streak_after(streak, run.outcome)
        if task.key in self._streaks:
            self._streaks[task.key] = streak
        rules = _rules(task)
        if rules:
            subject = Subject(task.key, self._known.namespace, task.name, rules)
            self._telling.tell(subject, notices_of(before, [facts_of(run) for run in runs]))


def _rules(task: Task) -> Sequence[NotifyRule]:
    return task.notify if isinstance(task, ClusterTask) else ()


def _may_wait(task: Task) -> bool:
    """Tell whether a run of a task may start late because another has to end before it."""
    policies = task.policies
    return bool(policies.locks) or policies.concurrency in (ConcurrencyPolicy.QUEUE, ConcurrencyPolicy.REPLACE)


def facts_of(run: RunRecord) -> Facts:
    """Return what a notice tells of a run."""
    return Facts(run.run_id, run.scheduled_at, run.outcome, run.reason, run.message, run.started_at, run.finished_at)
