"""One shot: runs what is due at a nominal minute, waits for it, and tells how it went. This is `schedule:run`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from timewright.engine.locking import Locking, Place, Standing
from timewright.engine.planning import Plan, plan, plan_waiting
from timewright.engine.summary import Summary
from timewright.resources.vocabulary import ConcurrencyPolicy
from timewright.storage.protocol import StoreError
from timewright.storage.records import RunRecord, StoredTask

if TYPE_CHECKING:
    from timewright.engine.executor import Executor
    from timewright.engine.ledger import Ledger
    from timewright.engine.task import Task

Planner: TypeAlias = "Callable[[Task, StoredTask, int, str], Plan]"

MINUTE = 60
_ATTEMPTS_TO_CLAIM = 50
"""How often others may come first before this invocation gives up on a task; each time they have made progress."""


@dataclass(frozen=True, slots=True)
class NominalClock:
    """What time it is for an invocation, in UTC seconds.

    Within its own minute it is the real time. An invocation for another minute lives in that minute: time passes there
    as it does here, but what is due later in the minute is not waited for.
    """

    at: int
    """The nominal minute: its first second."""
    started: float
    """`time.monotonic()` when the invocation began."""
    is_real: bool

    @classmethod
    def of(cls, at: int | None) -> NominalClock:
        """Begin an invocation for the minute of an instant, by default for the one in which it begins."""
        present = int(time.time()) // MINUTE
        minute = present if at is None else at // MINUTE
        return cls(minute * MINUTE, time.monotonic(), is_real=minute == present)

    def now(self) -> int:
        """Return the present."""
        if self.is_real:
            return max(self.at, int(time.time()))
        return self.at + int(time.monotonic() - self.started)

    def seconds_until(self, instant: int) -> float:
        """Return how long to wait for an instant of the nominal minute."""
        return max(0.0, instant - time.time()) if self.is_real else 0.0


class Invocation:
    """Everything that one `schedule:run` does."""

    def __init__(self, tasks: Sequence[Task], ledger: Ledger, executor: Executor, clock: NominalClock) -> None:
        """Bring together what is to be run, where that is recorded, how it is run, and for when."""
        self._tasks = {task.key: task for task in tasks}
        self._ledger = ledger
        self._executor = executor
        self._clock = clock
        self._summary = Summary(clock.at)
        self._ask_again: dict[str, int] = {}
        self._crowded = {task.key for task in tasks if _may_wait(task)}
        """Keys of tasks whose runs may wait for room, of which a later invocation may have recorded some."""
        self._sharing = {task.key for task in tasks if task.policies.locks}
        """Keys of those whose runs may wait for runs of others."""
        self._locking = Locking(ledger, executor)
        self._positions = {task.key: position for position, task in enumerate(tasks)}
        self._ended: list[RunRecord] = []
        executor.on_end = lambda task, run: self._ended.append(run)

    async def run(self) -> Summary:
        """Run what is due, to its end."""
        await self._decide(self._tasks, self._clock.at, plan)
        while not self._executor.stopping:
            due = self._next_within_minute()
            if due is None and not self._executor.active and not self._ended:
                break
            await self._wait_until(due)
            if due is not None and (self._clock.now() >= due or not self._clock.is_real):
                await self._decide([key for key, at in self._ask_again.items() if at <= due], due, plan)
            await self._make_room()
        await self._executor.drain()
        await self._make_room()
        return self._summary

    async def _wait_until(self, due: int | None) -> None:
        """Wait until a run ends, the next tick is due, or all is to end."""
        if not self._ended:
            await self._executor.wait(None if due is None else self._clock.seconds_until(due))

    async def _make_room(self) -> None:
        """Take note of the runs that have ended, and start what has waited for that."""
        ended, self._ended = self._ended, []
        self._summary.runs += ended
        for run in ended:
            if run.task in self._sharing:
                self._locking.ended(self._tasks[run.task], run)
        waiting = {run.task for run in ended} & self._crowded
        waiting |= self._sharing if waiting & self._sharing else set()
        if waiting and not self._executor.stopping:
            await self._ledger.record_finished()
            await self._decide(waiting, self._clock.now(), plan_waiting)

    async def _decide(self, keys: Iterable[str], now: int, planner: Planner) -> None:
        """Decide on tasks, record that, and start what is to start."""
        undecided = {key: self._tasks[key] for key in keys}
        for _ in range(_ATTEMPTS_TO_CLAIM):
            if not undecided:
                return
            try:
                stored = await self._ledger.load(list(undecided))
                plans = self._plans(undecided, stored, now, planner)
                async with self._locking.taking(list(plans.items()), self._standings(stored)) as allowed:
                    made = await self._ledger.claim([planned for _, planned in allowed])
                    for (key, planned), done in zip(allowed, made, strict=True):
                        if done:
                            self._carry_out(undecided.pop(key), planned, stored[key], planner)
            except StoreError as error:
                self._summary.trouble.append(str(error))
                if planner is plan:  # what waits for room goes on waiting
                    self._run_unclaimed(undecided.values(), now)
                return
        self._summary.trouble += [
            f"task {key}: others kept changing its state; it was left to them" for key in undecided
        ]

    def _standings(self, stored: Mapping[str, StoredTask]) -> Mapping[str, Standing]:
        """Return what is known of the tasks that share locks."""
        keys = self._sharing & stored.keys()
        return {key: Place(self._tasks[key], stored[key], self._positions[key]) for key in keys}

    def _plans(
        self, undecided: dict[str, Task], stored: Mapping[str, StoredTask], now: int, planner: Planner
    ) -> dict[str, Plan]:
        """Plan each task. One on which that fails is told and left out, and the others go on."""
        plans = {}
        for key, task in list(undecided.items()):
            try:
                plans[key] = planner(task, stored[key], now, self._executor.host)
            except Exception as error:  # noqa: BLE001 - one task's fault, whatever it is, is no other's
                self._summary.trouble.append(f"task {key}: cannot be decided on: {type(error).__name__}: {error}")
                del undecided[key]
        return plans

    def _carry_out(self, task: Task, planned: Plan, before: StoredTask, planner: Planner) -> None:
        # Who looks at nothing but what waits does not know of the next tick.
        known = self._ask_again.pop(task.key, None) if planner is plan_waiting else None
        asked = [at for at in (known, planned.ask_again_at) if at is not None]
        self._ask_again.pop(task.key, None)
        if asked:
            self._ask_again[task.key] = min(asked)
        if planned.change is not None:
            self._summary.runs += [run for run in planned.change.runs if run.outcome is not None]
            self._summary.count(planned.change.ended)
        for run in (*planned.start, *planned.resume):
            resumed = run in planned.resume
            self._executor.start(task, run, last_success_at=before.last_success_at, resumed=resumed)

    def _run_unclaimed(self, tasks: Iterable[Task], now: int) -> None:
        """Run what is due now although that cannot be recorded, except where it would be without its protection."""
        for task in tasks:
            planned = plan(task, StoredTask(task.key), now, self._executor.host)
            for run in planned.start:
                self._executor.start(task, run, claimed=False)

    def _next_within_minute(self) -> int | None:
        """Return the next tick within the nominal minute: what is due later is for the next invocation."""
        return min((at for at in self._ask_again.values() if at < self._clock.at + MINUTE), default=None)


def _may_wait(task: Task) -> bool:
    """Tell whether runs of a task may have to wait for one another."""
    policies = task.policies
    return bool(
        policies.concurrency is not ConcurrencyPolicy.ALLOW or policies.max_concurrent is not None or policies.locks
    )
