"""How many runs of a task may be active at once, and what becomes of those for which there is no room?

- `Allow` and `Forbid` skip a tick that finds no room.
- `Queue` lets it wait, first come, first served.
- `Replace` lets the newest go first: it ends the oldest that are active, takes their place once they *have* ended, and
  meanwhile gives way to one newer still.

Ticks that `missedRuns.policy: All` makes up for wait under every policy. They go before ticks on time, but under
`Replace` after them: they use the time in between, and are replaced like any other run when that time is over.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from timewright.decisions.decision import End, Enqueue, Start
from timewright.decisions.policies import Policies
from timewright.decisions.task_state import OpenRun
from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, Outcome, Reason, Trigger

UNLIMITED = sys.maxsize


def most_active(policies: Policies) -> int:
    """Return how many runs may be active at once."""
    if policies.max_concurrent is not None:
        return policies.max_concurrent
    return UNLIMITED if policies.concurrency is ConcurrencyPolicy.ALLOW else 1


def oldest_first(runs: Iterable[OpenRun]) -> list[OpenRun]:
    """Return runs in the order of their nominal times."""
    return sorted(runs, key=lambda run: (run.scheduled_at, run.run_id))


def no_room(policies: Policies, active: Sequence[OpenRun]) -> str:
    """Tell why a run cannot start beside the active ones."""
    if policies.max_concurrent is None:
        rule = f"concurrencyPolicy is {policies.concurrency}"
    else:
        rule = f"maxConcurrent is {policies.max_concurrent}"
    if not active:
        return f"others go first, and {rule}"
    names = ", ".join(run.run_id for run in active[:_NAMED])
    more = f" and {len(active) - _NAMED} more" if len(active) > _NAMED else ""
    return f"{names}{more} {'is' if len(active) == 1 else 'are'} still active, and {rule}"


_NAMED = 3
"""How many active runs a message names."""


def place(
    policies: Policies,
    active: Sequence[OpenRun],
    queued: Sequence[OpenRun],
    make_up: Sequence[int],
    due: Sequence[Start],
) -> Placing:
    """Give the room that active runs leave to runs that wait, ticks to make up for, and ticks that are due.

    Each of them comes with the oldest first.
    """
    placing = Placing(policies, active, max(0, most_active(policies) - len(active)))
    if policies.concurrency is ConcurrencyPolicy.REPLACE:
        patient = [run for run in queued if is_made_up_for(policies, run)]
        placing.newest_first([run for run in queued if run not in patient], due)
        placing.in_turn(patient, make_up)
    else:
        placing.in_turn(queued, make_up)
        placing.by_policy(due)
    return placing


@dataclass(slots=True)
class Placing:
    """Who got room, and what became of the others."""

    policies: Policies
    active: Sequence[OpenRun]
    room: int
    waiting: int = 0
    start: list[Start] = field(default_factory=list)
    enqueue: list[Enqueue] = field(default_factory=list)
    end: list[End] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    dequeue: list[str] = field(default_factory=list)
    drop: list[tuple[str, Outcome, Reason, str]] = field(default_factory=list)

    def in_turn(self, queued: Sequence[OpenRun], make_up: Sequence[int]) -> None:
        """Let start what finds room, and let the rest wait."""
        for run in queued:
            self._dequeue(run)
        for tick in make_up:
            self._start_or_enqueue(Start(tick, Trigger.CATCH_UP))

    def by_policy(self, due: Sequence[Start]) -> None:
        """Let start what finds room, and do with the rest what `Allow`, `Forbid` or `Queue` says."""
        for tick in due:
            if self.room > 0:
                self._start(tick)
            elif self.policies.concurrency is not ConcurrencyPolicy.QUEUE:
                message = no_room(self.policies, self.active)
                self.end.append(End(tick.scheduled_at, Outcome.SKIPPED, Reason.OVERLAP, message))
            elif self.waiting < self.policies.max_queued:
                self._enqueue(tick)
            else:
                message = f"{self.waiting} runs wait already, and maxQueued is {self.policies.max_queued}"
                self.end.append(End(tick.scheduled_at, Outcome.SKIPPED, Reason.QUEUE_FULL, message))

    def newest_first(self, queued: Sequence[OpenRun], due: Sequence[Start]) -> None:
        """Let the newest start, and others make room for them."""
        limit = most_active(self.policies)
        passed_by = max(0, len(due) - limit)
        cancel, dropped = make_way(limit, self.active, queued, len(due))
        self.cancel += cancel
        self.drop += dropped
        for tick in due[:passed_by]:
            self.end.append(End(tick.scheduled_at, *_REPLACED))
        for run in queued[len(dropped) :]:
            self._dequeue(run)
        for tick in due[passed_by:]:
            self._start_or_enqueue(tick)

    def _start_or_enqueue(self, tick: Start) -> None:
        if self.room > 0:
            self._start(tick)
        else:
            self._enqueue(tick)

    def _start(self, tick: Start) -> None:
        self.room -= 1
        self.start.append(tick)

    def _enqueue(self, tick: Start) -> None:
        self.enqueue.append(Enqueue(tick.scheduled_at, tick.trigger))
        self.waiting += 1

    def _dequeue(self, run: OpenRun) -> None:
        if self.room > 0:
            self.room -= 1
            self.dequeue.append(run.run_id)
        else:
            self.waiting += 1


_REPLACED = (Outcome.CANCELLED, Reason.REPLACED, "a newer run took its place before it could start")


def make_way(
    limit: int, active: Sequence[OpenRun], queued: Sequence[OpenRun], newer: int
) -> tuple[list[str], list[tuple[str, Outcome, Reason, str]]]:
    """Tell which active runs to cancel and which queued ones to drop, each the oldest first, for that many newer runs.

    The newest stay, as many as may be active at once. Without a newer run all stay.
    """
    if newer == 0:
        return [], []
    dropped = max(0, min(len(queued), len(queued) + newer - limit))
    waiting = len(queued) - dropped + newer
    excess = len(active) + waiting - limit
    return (
        [run.run_id for run in active[: max(0, excess)]],
        [(run.run_id, *_REPLACED) for run in queued[:dropped]],
    )


def is_made_up_for(policies: Policies, run: OpenRun) -> bool:
    """Tell whether a run that waits was promised to run, so that no newer one may take its place."""
    promised = (policies.missed_runs.policy, policies.on_resume, policies.on_schedule_change)
    return run.trigger is Trigger.CATCH_UP and MissedRunsPolicy.ALL in promised
