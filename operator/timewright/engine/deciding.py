"""Decides on tasks, has that recorded, and starts what follows from it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from timewright.engine.beside import told
from timewright.engine.planning import Plan, plan
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import StoreError

if TYPE_CHECKING:
    from timewright.engine.executor import Executor
    from timewright.engine.gate import Gate
    from timewright.engine.ledger import Ledger
    from timewright.engine.locking import Locking
    from timewright.engine.roster import Entry, Roster

BATCH = 1_000
"""How many tasks are gone through before the event loop may turn to something else."""

_TRY_AGAIN_SECONDS = 60
"""When to decide again on a task on which that failed."""

_PAUSED_SECONDS = 5
"""How often to look whether a person has resumed a task: the store tells nobody."""


class Deciding:
    """Decisions on the tasks of a roster, made as of now and of what is recorded of them."""

    def __init__(self, roster: Roster, ledger: Ledger, executor: Executor, locking: Locking) -> None:
        """Record in the ledger, run by the executor."""
        self.on_undecided: Callable[[str, int], None] = lambda key, until: None
        """Called with the key of a task on which it was not possible to decide, and until when it is decided."""
        self._busy: list[Collection[str]] = []
        self._roster, self._ledger, self._executor, self._locking = roster, ledger, executor, locking

    def is_busy(self, key: str) -> bool:
        """Tell whether a decision on a task is on its way, so that it may start something yet."""
        return any(key in keys for keys in self._busy)

    @contextlib.contextmanager
    def busy(self, keys: Collection[str]) -> Iterator[None]:
        """Take decisions on these tasks for being on their way, for as long as the context lasts."""
        self._busy.append(keys)
        try:
            yield
        finally:
            self._busy = [each for each in self._busy if each is not keys]

    async def decide(self, keys: Iterable[str], now: int | None = None) -> None:
        """Decide on tasks as of now and as they are recorded now, whatever was known of them."""
        undecided = [key for key in dict.fromkeys(keys) if key in self._roster]
        while undecided:
            undecided = self._with_first_in_line(undecided)
            with self.busy(undecided):
                undecided = await self._decide_once(undecided, now)

    async def _decide_once(self, keys: list[str], now: int | None) -> list[str]:
        """Decide on tasks; return the keys of those on which to decide once more."""
        if not await self._reload(keys):
            return []
        plans = self._plans(keys, now)
        try:
            async with self._locking.taking(plans, self._roster.entries) as allowed:
                refused = await self.carry_out(allowed, gate=None)
        except StoreError:
            self._run_unclaimed(plans, gate=None)
            return []
        return [] if self._executor.stopping else refused  # what is refused now may be refused for good

    def plan(self, key: str, now: int) -> Plan | None:
        """Decide on one task. Where that fails, the others go on, and this one is tried again later."""
        roster = self._roster
        entry = roster.entries[key]
        if key in roster.released:
            roster.agenda.shelve(key)
            return None
        try:
            former = roster.former_ticks(entry) if roster.former else None
            return plan(entry.task, entry.stored, now, self._executor.host, former)
        except Exception as error:  # noqa: BLE001 - one task's fault, whatever it is, is no other's
            self._ledger.tell(f"{entry.task.name}: timewright failed to decide: {told(error)}")
            since = roster.agenda.undecided_since(key)
            self.on_undecided(key, (now if since is None else since) - 1)
            roster.agenda.put(key, now + _TRY_AGAIN_SECONDS)
            return None

    def _plans(self, keys: Iterable[str], now: int | None = None) -> list[tuple[str, Plan]]:
        """Decide on tasks as of now."""
        now = int(time.time()) if now is None else now
        plans = ((key, self.plan(key, now)) for key in keys if key in self._roster)
        return [(key, planned) for key, planned in plans if planned is not None]

    async def carry_out(self, plans: Sequence[tuple[str, Plan]], gate: Gate | None) -> list[str]:
        """Record plans and start their runs, behind the gate if there is one; return the keys of those refused."""
        try:
            made = await self._ledger.claim([planned for _, planned in plans])
        except StoreError:
            self._run_unclaimed(plans, gate)
            return []
        refused, entries = [], self._roster.entries
        for number, ((key, planned), done) in enumerate(zip(plans, made, strict=True)):
            if number % BATCH == BATCH - 1:
                await asyncio.sleep(0)
            entry = entries.get(key)
            if not done:
                refused.append(key)
            elif entry is None:
                self._executor.end_unstarted(planned.start, "its task went away in the second of its tick")
            else:
                try:
                    self._start(entry, planned, gate)
                except Exception as error:  # noqa: BLE001 - the others of this claim have to start in their second
                    self._ledger.tell(f"{entry.task.name}: timewright failed to start: {told(error)}")
        return refused

    def _start(self, entry: Entry, planned: Plan, gate: Gate | None) -> None:
        """Start the runs of a plan that is recorded, and tell how others ended by it."""
        task, executor, change = entry.task, self._executor, planned.change
        last_success_at = entry.stored.last_success_at
        if planned.after.version >= entry.stored.version:  # a later decision may have been carried out meanwhile
            entry.stored = planned.after
            self._roster.agenda.put(task.key, _ask_again_at(planned))
        for run in planned.start:
            executor.start(task, run, last_success_at=last_success_at, gate=gate)
        for run in planned.resume:
            executor.start(task, run, last_success_at=last_success_at, gate=gate, resumed=True)
        if change is not None and (change.cancel or len(change.runs) > len(planned.start)):
            for run_id in change.cancel:
                executor.replace(task.key, run_id)
            ended = [run for run in change.runs if run.outcome is not None]
            if ended:
                executor.on_outcomes(task, ended)
            for run in ended if task.policies.locks else ():
                if run.outcome is Outcome.LOST:  # the others have held nothing
                    self._locking.ended(task, run)

    def _run_unclaimed(self, plans: Sequence[tuple[str, Plan]], gate: Gate | None) -> None:
        """Run what is due although that cannot be recorded now, except where it would be without its protection."""
        for key, planned in plans:
            entry = self._roster.get(key)
            if entry is None:
                continue
            if self._ledger.store.must_claim:
                self._roster.agenda.put_off(key, int(time.time()) + 1)
                continue
            entry.stored = planned.after
            self._roster.agenda.put(key, planned.ask_again_at)
            for run in planned.start:
                self._executor.start(entry.task, run, gate=gate, claimed=False)

    async def _reload(self, keys: Sequence[str]) -> bool:
        """Take over what the store tells of tasks; where it cannot be asked, go on with what is known."""
        try:
            await self._ledger.record_finished()
            stored = await self._ledger.load(keys)
        except StoreError:
            self._run_unclaimed(self._plans(keys), gate=None)
            return False
        for key, each in stored.items():
            entry = self._roster.get(key)
            if entry is not None:
                entry.stored = each
        return True

    def _with_first_in_line(self, keys: list[str]) -> list[str]:
        """Return the keys of tasks, and of those that wait for the same locks and go first."""
        waiting = self._locking.first_in_line(self._roster.entries[key].task for key in keys if key in self._roster)
        return list(dict.fromkeys([*keys, *(key for key in waiting if key in self._roster)])) if waiting else keys


def _ask_again_at(planned: Plan) -> int | None:
    """Return when to decide on a task again, in UTC seconds."""
    pause = planned.after.pause
    if pause is None:
        return planned.ask_again_at
    now = int(time.time())
    if pause.until is not None and pause.until <= now:
        return planned.ask_again_at
    return min(at for at in (planned.ask_again_at, pause.until, now + _PAUSED_SECONDS) if at is not None)
