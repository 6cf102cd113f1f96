"""The long-running form: starts every tick at its second. This is `schedule:work`, and what a daemon does.

A tick is claimed shortly before it is due, together with all others of its second, so that nothing but starting is left
to do when the second comes. What cannot be decided before, because it depends on runs that are active then, is decided
in the second itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from timewright.decisions.task_state import OpenPhase
from timewright.engine import garbage
from timewright.engine.beside import told
from timewright.engine.deciding import BATCH, Deciding
from timewright.engine.gate import Gate
from timewright.engine.holding_back import waiting_for_their_second
from timewright.engine.locking import Locking
from timewright.engine.planning import Plan, without_run
from timewright.engine.roster import Entry, Roster
from timewright.resources.vocabulary import ConcurrencyPolicy

if TYPE_CHECKING:
    from timewright.engine.executor import Executor
    from timewright.engine.ledger import Ledger
    from timewright.engine.task import Task
    from timewright.storage.records import RunRecord
    from timewright.timetable.ticks import Ticks

LEAD_SECONDS = 0.8
"""How long before its second a tick is claimed, unless claiming has turned out to take longer."""

LONGEST_LEAD_SECONDS = 3.0

_LEAD_MARGIN = 2.5
"""How many times as long as claiming took the last times is allowed for it the next time."""

_LONGEST_SLEEP = 1.0
"""How long the loop sleeps at most: somebody may set the clock meanwhile."""

_LATE_SECONDS = 1
"""Ticks older than this are decided as of now, like those of any other downtime."""

_LOOK_SECONDS = 0.02


class Loop:
    """Starts the ticks of many tasks. Everything here happens on one event loop; only the store works elsewhere."""

    def __init__(self, ledger: Ledger, executor: Executor) -> None:
        """Record in the ledger, run by the executor."""
        self._ledger = ledger
        self._executor = executor
        self._roster = Roster()
        self._agenda = self._roster.agenda
        self.locking = Locking(ledger, executor)
        """Who holds locks that tasks share, and who waits for them."""
        self.locking.on_free = self._look_at
        self.deciding = Deciding(self._roster, ledger, executor, self.locking)
        """What decides."""
        self._woken = asyncio.Event()
        self._turned = 0
        """The last second whose ticks were claimed."""
        self._claiming = 0.0
        """How long it took to claim a second, in seconds; what is long ago counts less."""
        executor.on_end = self._ended
        executor.on_stop = self.wake

    async def run(self) -> None:
        """Start ticks until the executor stops. No exception ends this before."""
        while not self._executor.stopping:
            try:
                await self._next()
            except Exception as error:  # noqa: BLE001 - a fault of one second must not cost all those that follow
                self._ledger.tell(f"timewright failed, and goes on: {told(error)}")
                await asyncio.sleep(_LONGEST_SLEEP)
                self._roster.look_at([key for key in self._roster if key not in self._agenda])
        await self._decide_to_the_end()

    async def _decide_to_the_end(self) -> None:
        """Decide on what the end of a run has put on the agenda in the last second, so that all of it is decided.

        Else whoever comes next could not tell its other ticks, which were claimed and have run, from such as were not.
        """
        if self._turned <= time.time():
            await self.deciding.decide(self._agenda.take(self._turned), self._turned)

    async def _next(self) -> None:
        """Do what is due next, or wait for it a while."""
        second = self._agenda.first()
        if second is None or second - self._lead() > time.time():
            await self._sleep_until(None if second is None else second - self._lead())
        elif second < time.time() - _LATE_SECONDS:
            await self.decide(self._agenda.take(int(time.time())))
        else:
            await self._turn(second)

    async def _turn(self, second: int) -> None:
        """Claim the ticks of a second before it comes, start them in it, and decide there what could not be before."""
        gate = Gate()
        self._turned = max(self._turned, second)
        try:
            uncertain = await self._claim(second, gate)
            opening = second - self._executor.seconds_to_open(gate)
            delay = opening - time.time()
            while 0 < delay < LONGEST_LEAD_SECONDS:
                await asyncio.sleep(delay)
                delay = opening - time.time()
            if self._ledger.may_start():
                await self._executor.open(gate, second)
        finally:
            self._executor.abandon(gate)  # those that have not begun by now are not to
        if uncertain:
            await asyncio.sleep(0)  # what is claimed starts first
            # Even if all is to end by now: a claim for some ticks of a second speaks for all of them.
            await self.deciding.decide(uncertain)

    async def _claim(self, second: int, gate: Gate) -> list[str]:
        """Claim the ticks of a second, and have their runs wait behind a gate; return what is to be decided later."""
        began = time.monotonic()
        certain: list[tuple[str, Plan]] = []
        decided_on: list[Task] = []
        later: list[str] = []
        entries, keys = self._roster.entries, self._roster.in_order(self._agenda.take(second))
        for number, key in enumerate(keys):
            if number % BATCH == BATCH - 1:
                await asyncio.sleep(0)
            entry = entries.get(key)
            if entry is None or not self._is_certain(entry):
                later.append(key)
                continue
            planned = self.deciding.plan(key, second)
            if planned is None:
                continue
            if entry.task.policies.locks:  # it waits until its second, in which locks are taken
                planned = waiting_for_their_second(entry.task, entry.stored, planned)
                later.append(key)
            certain.append((key, planned))
            decided_on.append(entry.task)
        with self.deciding.busy(keys):
            later += await self.deciding.carry_out(certain, gate)
        self._follow_changes(decided_on)
        self._claiming = max(time.monotonic() - began, 0.8 * self._claiming)
        return later

    def _lead(self) -> float:
        """Return how long before a second to claim it."""
        return min(LONGEST_LEAD_SECONDS, max(LEAD_SECONDS, _LEAD_MARGIN * self._claiming))

    def _is_certain(self, entry: Entry) -> bool:
        """Tell whether what is decided on a task before its second will be right in that second."""
        state, policies = entry.stored.state, entry.task.policies
        if entry.stored.pause is not None or state.suspended:
            return False
        if not state.open_runs:
            return True
        unlimited = policies.concurrency is ConcurrencyPolicy.ALLOW and policies.max_concurrent is None
        return unlimited and all((entry.task.key, run.run_id) in self._executor.active for run in state.open_runs)

    def _follow_changes(self, tasks: Iterable[Task]) -> None:
        """Let runs that were claimed while their task was changed know of the change."""
        entries = self._roster.entries
        for task in tasks:
            entry = entries.get(task.key)
            if entry is not None and entry.task is not task:
                self._executor.replace_task(entry.task)

    async def _sleep_until(self, instant: float | None) -> None:
        seconds = _LONGEST_SLEEP if instant is None else min(_LONGEST_SLEEP, max(0.0, instant - time.time()))
        garbage.collect_if_idle(seconds, len(self._executor.active))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    # What changes meanwhile

    @property
    def tasks(self) -> Sequence[Task]:
        """The tasks that are scheduled now."""
        return [entry.task for entry in self._roster.entries.values()]

    def wake(self) -> None:
        """Have the loop look at the agenda again at once."""
        self._woken.set()

    async def decide(self, keys: Iterable[str]) -> None:
        """Decide on tasks as of now and as they are recorded now, whatever was known of them."""
        if not self._executor.stopping:
            await self.deciding.decide(keys)

    async def replace_tasks(self, tasks: Sequence[Task]) -> None:
        """Schedule these tasks from now on, and no others. Active runs of those that are gone come to their end."""
        wanted = {task.key: task for task in tasks}
        changed: dict[str, Task | None] = {}
        for key in [key for key in self._roster if key not in wanted]:
            changed[key] = None
            self._roster.remove(key)
            self.locking.forget(key)
        fresh = self._roster.differing(wanted)
        for task in fresh:
            if self._roster.put(task):
                changed[task.key] = task
        self._executor.replace_tasks(changed)
        self._roster.arrange(wanted)
        began = time.monotonic()
        await self.decide([task.key for task in fresh])
        self._claiming = max(self._claiming, time.monotonic() - began)  # until it is known better

    async def replace_task(self, task: Task) -> None:
        """Schedule a task from now on, in place of what was known under its key."""
        if not self._roster.differing({task.key: task}):
            return
        if self._roster.put(task):
            self._executor.replace_task(task)
        self._roster.look_at([task.key])
        await self.decide([task.key])

    def remember(self, key: str, schedule_id: str, ticks: Ticks) -> None:
        """Tell when a task was due by a schedule that is not its own any more.

        Ticks of that one on which nobody has decided, since nobody could, then end with a record.
        """
        self._roster.former[key] = schedule_id, ticks

    def remove_task(self, key: str) -> None:
        """Start no more ticks of a task. What was claimed of it still starts, see `Executor.revoke`."""
        self._roster.remove(key)
        self.locking.forget(key)

    async def release_task(self, key: str) -> int:
        """Claim no more ticks of a task; return the instant up to which its ticks are decided, once nothing is begun.

        What was claimed of it still starts. `remove_task` has to follow, or `keep_task`.
        """
        until = self.decided_until()
        self._roster.released.add(key)
        is_begun = self._agenda.is_taken(key) or self.deciding.is_busy(key)
        while is_begun:
            await asyncio.sleep(_LOOK_SECONDS)
            is_begun = self._agenda.is_taken(key) or self.deciding.is_busy(key)
        self._agenda.put(key, None)
        entry = self._roster.get(key)
        return until if entry is None else max(until, entry.stored.state.watermark or 0)

    def keep_task(self, key: str) -> None:
        """Go on with a task that was to be released, from where it was."""
        self._roster.released.discard(key)
        self._look_at([key])

    def decided_until(self) -> int:
        """Return an instant, the present one at the latest, up to which no tick of any task is undecided."""
        return self._roster.decided_until()

    def _ended(self, task: Task, run: RunRecord) -> None:
        """Make room for what waits for the end of a run."""
        if task.policies.locks:
            self.locking.ended(task, run)
        entry = self._roster.entries.get(task.key)
        if entry is None:
            return
        entry.stored = without_run(entry.stored, run)
        open_runs = entry.stored.state.open_runs
        if open_runs and any(each.phase is OpenPhase.QUEUED or not each.proven for each in open_runs):
            self._look_at([task.key])

    def _look_at(self, keys: Iterable[str]) -> None:
        """Have the loop decide on tasks now."""
        self._roster.look_at(keys)
        self.wake()
