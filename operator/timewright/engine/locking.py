"""Has runs of tasks that share locks take turns: each gets all of its locks, or waits without any.

Those that wait are queued runs in the store, so they survive whoever decides on them. In one process they get their
turns in the order of their starts, and nobody overtakes, see `storage.granting`; between processes it is whoever asks
first once a lock is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from timewright.decisions.task_state import OpenPhase
from timewright.engine.holding_back import without_locks
from timewright.storage.granting import Blocked, Demand
from timewright.storage.protocol import OwnershipLost, StoreError

if TYPE_CHECKING:
    from timewright.engine.executor import Executor
    from timewright.engine.ledger import Ledger
    from timewright.engine.planning import Plan
    from timewright.engine.task import Task
    from timewright.storage.records import RunRecord, StoredTask

_LOOK_SECONDS = 1
"""How often to look whether a lock is free that a run of another process holds."""

_RETRY_SECONDS = 1.0


class Standing(Protocol):
    """A task, what is recorded of it, and its place in the order of declaration."""

    @property
    def task(self) -> Task:
        """The task."""
        ...

    @property
    def stored(self) -> StoredTask:
        """What is recorded of it."""
        ...

    @property
    def position(self) -> int:
        """Decides between starts of one second."""
        ...


class Place(NamedTuple):
    """A `Standing` of its own."""

    task: Task
    stored: StoredTask
    position: int


class _Waiter(NamedTuple):
    order: tuple[int, int, str]
    key: str
    slots: Mapping[str, int]
    blocked_by: str
    since: float


class Locking:
    """The locks of this process's runs."""

    def __init__(self, ledger: Ledger, executor: Executor) -> None:
        """Take locks for the owner that a ledger speaks for, while runs of an executor are active."""
        self.on_free: Callable[[Collection[str]], None] = lambda keys: None
        """Called with the keys of tasks whose runs may get their locks now."""
        self.on_wait: Callable[[float], None] = lambda seconds: None
        """Called for each run that gets its locks with how long it waited for them, in seconds."""
        self._ledger, self._executor = ledger, executor
        self._held: dict[tuple[str, str], tuple[str, Demand]] = {}
        """By task and run: the owner that took the locks, and which they are."""
        self._waiting: dict[tuple[str, str], _Waiter] = {}
        self._to_release: dict[str, tuple[str, Demand]] = {}
        """By holder: what is to be given back."""
        self._releasing = asyncio.Lock()

    def waiting(self) -> Mapping[str, int]:
        """Return how many runs wait for each lock that is held by others."""
        counts: dict[str, int] = {}
        for waiter in self._waiting.values():
            counts[waiter.blocked_by] = counts.get(waiter.blocked_by, 0) + 1
        return counts

    def first_in_line(self, tasks: Iterable[Task]) -> list[str]:
        """Return the keys of tasks to be decided on together with some others, since they wait for the same locks."""
        slots = {name: count for task in tasks for name, count in task.policies.locks}
        if not slots or not self._waiting:
            return []
        keys: dict[str, None] = {}
        looked_at: set[str] = set()
        while names := slots.keys() - looked_at:
            looked_at |= names
            for waiter in self._oldest({name: slots[name] for name in names}):
                keys[waiter.key] = None
                slots |= waiter.slots
        return list(keys)

    @contextlib.asynccontextmanager
    async def taking(
        self, plans: Sequence[tuple[str, Plan]], standings: Mapping[str, Standing]
    ) -> AsyncIterator[Sequence[tuple[str, Plan]]]:
        """Take the locks of all runs in plans that get theirs, and yield the plans with the others held back.

        On the way out locks of runs that were not started after all are given back. Raises StoreError.
        """
        if not any(standings[key].task.policies.locks for key, _ in plans if key in standings):
            yield plans
            return
        asking = _in_order(plans, standings)
        await self.release()
        demands = [demand_of(task, run) for _, task, run in asking]
        answers = await self._ledger.acquire_all(demands)
        owner = self._ledger.owner
        for (_, task, run), demand, blocked in zip(asking, demands, answers, strict=True):
            if blocked is None:
                self._held[task.key, run.run_id] = owner, demand
        try:
            yield self._held_back(plans, standings, asking, answers)
        finally:
            for _, task, run in asking:
                if (task.key, run.run_id) not in self._executor.active:
                    self._give_back(task.key, run.run_id)

    async def take(self, task: Task, run: RunRecord) -> str | None:
        """Take the locks of one run that is to start now; return what stands in its way, in words. Raises StoreError.

        Whoever does not start it after all tells `ended`.
        """
        if not task.policies.locks:
            return None
        await self.release()
        demand = demand_of(task, run)
        (blocked,) = await self._ledger.acquire_all([demand])
        if blocked is not None:
            return words_of(blocked)
        self._held[task.key, run.run_id] = self._ledger.owner, demand
        self.on_wait(0.0)
        return None

    def ended(self, task: Task, run: RunRecord) -> None:
        """Give back what a run held that has ended, whoever took it, and let those go on that wait for it."""
        if (task.key, run.run_id) not in self._held and task.policies.locks:
            self._held[task.key, run.run_id] = self._ledger.owner, demand_of(task, run)
        self._waiting.pop((task.key, run.run_id), None)
        self._give_back(task.key, run.run_id)

    def let_go(self, task: Task, runs: Iterable[RunRecord]) -> None:
        """Give back what those open runs of a task hold that this process does not carry out; others may."""
        for run in runs if task.policies.locks else ():
            if run.phase is not OpenPhase.QUEUED and (task.key, run.run_id) not in self._executor.active:
                self.ended(task, run)

    def forget(self, key: str) -> None:
        """Let nobody wait for runs of a task that is gone."""
        gone = [at for at in self._waiting if at[0] == key]
        names = {name for at in gone for name in self._waiting.pop(at).slots}
        self._let_go_on(names)

    async def release(self) -> None:
        """Give back what is to be given back; where the store cannot be used now, later."""
        async with self._releasing:
            for holder, (owner, demand) in list(self._to_release.items()):
                try:
                    for name in demand.slots:
                        await self._ledger.store.release(owner, name, holder)
                except OwnershipLost:
                    pass  # then it is free already
                except StoreError:
                    asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._release_soon)
                    return
                del self._to_release[holder]
                self._let_go_on(demand.slots.keys())

    def _held_back(
        self,
        plans: Sequence[tuple[str, Plan]],
        standings: Mapping[str, Standing],
        asking: Sequence[tuple[tuple[int, int, str], Task, RunRecord]],
        answers: Sequence[Blocked | None],
    ) -> Sequence[tuple[str, Plan]]:
        """Hold runs back that do not get their locks, and remember for what they wait."""
        keys = {key for key, _ in plans}
        before = {at: self._waiting.pop(at) for at in list(self._waiting) if at[0] in keys}
        refused: dict[str, dict[str, str]] = {}
        now = time.monotonic()
        for (order, task, run), blocked in zip(asking, answers, strict=True):
            at = task.key, run.run_id
            waiter = before.pop(at, None)
            since = now if waiter is None else waiter.since
            if blocked is None:
                self.on_wait(now - since)
                continue
            refused.setdefault(task.key, {})[run.run_id] = words_of(blocked)
            self._waiting[at] = _Waiter(order, task.key, dict(task.policies.locks), blocked.name, since)
        look_again_at = int(time.time()) + _LOOK_SECONDS
        result = []
        for key, planned in plans:
            if key in refused:
                standing = standings[key]
                again = look_again_at if self._is_held_elsewhere() else None
                planned = without_locks(standing.task, standing.stored, planned, refused[key], again)
                self._keep_waiting(key, planned)
            result.append((key, planned))
        # Who waited and does so no longer, since it has ended or its task has changed, may have kept others waiting.
        self._let_go_on({name for waiter in before.values() for name in waiter.slots})
        return result

    def _keep_waiting(self, key: str, planned: Plan) -> None:
        """Forget those of a task's runs that were refused and do not wait: they end by the plan."""
        is_open = {run.run_id for run in planned.after.state.open_runs}
        for at in [at for at in self._waiting if at[0] == key and at[1] not in is_open]:
            del self._waiting[at]

    def _is_held_elsewhere(self) -> bool:
        """Tell whether a lock for which runs wait may become free without a word to this process."""
        held = {name for _, demand in self._held.values() for name in demand.slots}
        return any(waiter.blocked_by not in held for waiter in self._waiting.values())

    def _give_back(self, key: str, run_id: str) -> None:
        held = self._held.pop((key, run_id), None)
        if held is not None:
            self._to_release[held[1].holder] = held
            self._release_soon()

    def _release_soon(self) -> None:
        if self._to_release:
            self._executor.look_after(self.release())

    def _let_go_on(self, names: Iterable[str]) -> None:
        """Have those decided on that are next in line for locks that may be free."""
        keys = {waiter.key for waiter in self._oldest(dict.fromkeys(names, 1))}
        if keys:
            self.on_free(keys)

    def _oldest(self, slots: Mapping[str, int]) -> list[_Waiter]:
        """Return for each lock as many as could hold it at once of those that have waited for the longest time."""
        found: list[_Waiter] = []
        for name, count in slots.items():
            waiting = (waiter for waiter in self._waiting.values() if name in waiter.slots)
            found += heapq.nsmallest(count, waiting, key=lambda waiter: waiter.order)
        return found


def demand_of(task: Task, run: RunRecord) -> Demand:
    """Return what a run needs to start."""
    return Demand(f"{task.definition.namespace}/{run.run_id}", dict(task.policies.locks))


def words_of(blocked: Blocked) -> str:
    """Tell what stands in the way of a run."""
    return f"lock {blocked.name!r} is held by {blocked.holder}"


def _in_order(
    plans: Sequence[tuple[str, Plan]], standings: Mapping[str, Standing]
) -> list[tuple[tuple[int, int, str], Task, RunRecord]]:
    """Return the runs in plans that need locks, in the order in which they were to start."""
    asking = []
    for key, planned in plans:
        standing = standings.get(key)
        if standing is not None and standing.task.policies.locks:
            for run in (*planned.start, *planned.resume):
                order = run.scheduled_at + run.jitter, standing.position, run.run_id
                asking.append((order, standing.task, run))
    asking.sort(key=lambda each: each[0])
    return asking
