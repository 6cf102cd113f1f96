"""What becomes of runs, taken in by batches: counted for metrics, and told to those whom their tasks name.

A run costs its process no more than an entry in a list; the rest follows some moments later, many at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import islice

from prometheus_client import Counter as CounterMetric

from timewright.cluster import metrics
from timewright.daemon.known import Known
from timewright.decisions.lagging import LATE_SECONDS
from timewright.decisions.notices import Facts, failing_streak, notices_of, streak_after
from timewright.engine.task import Task
from timewright.notices.telling import Subject, Telling
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
        pending = self._pending
        batch = [pending.popleft() for _ in islice(range(len(pending)), _BATCH)]
        counts: Counter[tuple[Outcome, str, Trigger]] = Counter()
        started = late = 0
        observe = metrics.start_delay.observe
        for task, runs in batch:
            for run in runs:
                if run.outcome is None:
                    continue
                counts[run.outcome, run.reason, run.trigger] += 1
                if run.started_at is not None:
                    delay = max(0.0, run.started_at - run.scheduled_at)
                    observe(delay)
                    policy = task.policies.concurrency
                    waits = policy is ConcurrencyPolicy.QUEUE or policy is ConcurrencyPolicy.REPLACE
                    if run.trigger is Trigger.SCHEDULE and not waits:
                        started += 1
                        late += delay > LATE_SECONDS
            self._follow(task.key, runs)
        for (outcome, reason, trigger), count in counts.items():
            metrics.runs.labels(outcome.value, metrics.known_reason(reason), trigger.value).inc(count)
            if outcome is Outcome.MISSED:
                ticks_missed.inc(count)
        if started:
            self._seconds.append((time.monotonic(), started, late))

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

    def _follow(self, key: str, runs: Sequence[RunRecord]) -> None:
        known = self._known.tasks.get(key)
        if known is None:
            return
        rules = known.read.spec.notify
        before = self._streaks.get(key)
        if before == 0 and not rules and len(runs) == 1 and runs[0].outcome is Outcome.SUCCEEDED:
            return
        if before is None:
            before = self.streak(key, runs)
        streak = before
        for run in runs:
            if run.outcome is not None:
                streak = streak_after(streak, run.outcome)
        self._streaks[key] = streak
        if rules:
            subject = Subject(key, self._known.namespace, known.name, rules)
            self._telling.tell(subject, notices_of(before, [facts_of(run) for run in runs]))


def facts_of(run: RunRecord) -> Facts:
    """Return what a notice tells of a run."""
    return Facts(run.run_id, run.scheduled_at, run.outcome, run.reason, run.message, run.started_at, run.finished_at)
