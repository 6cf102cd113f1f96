"""The long-running form: starts every tick at its second. This is `schedule:work`.

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
from timewright.engine.agenda import Agenda
from timewright.engine.gate import Gate
from timewright.engine.holding_back import waiting_for_their_second
from timewright.engine.locking import Locking
from timewright.engine.planning import Plan, plan, without_run
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome
from timewright.storage.protocol import StoreError
from timewright.storage.records import StoredTask

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

_TRY_AGAIN_SECONDS = 60
"""When to decide again on a task on which that failed."""

_LATE_SECONDS = 1
"""Ticks older than this are decided as of now, like those of any other downtime."""

_PAUSED_SECONDS = 5
"""How often to look whether a person has resumed a task: the store tells nobody."""

_LOOK_SECONDS = 0.02

_BATCH = 1_000
"""How many tasks are planned before the event loop may turn to something else."""


class Entry:
    """What the loop knows of one task."""

    __slots__ = ("position", "stored", "task")

    def __init__(self, task: Task, stored: StoredTask, position: int) -> None:
        """Begin with what the store tells."""
        self.task = task
        self.stored = stored
        self.position = position
        """Its place in the order of declaration, in which tasks of one second start."""


class Loop:
    """Starts the ticks of many tasks. Everything here happens on one event loop; only the store works elsewhere."""

    def __init__(self, ledger: Ledger, executor: Executor) -> None:
        """Record in the ledger, run by the executor."""
        self._ledger = ledger
        self._executor = executor
        self._entries: dict[str, Entry] = {}
        self._agenda = Agenda()
        self._released: set[str] = set()
        self._former: dict[str, tuple[str, Ticks]] = {}
        """By key, a schedule that a task had before, and to which its watermark may still belong."""
        self.locking = Locking(ledger, executor)
        """Who holds locks that tasks share, and who waits for them."""
        self.locking.on_free = self._look_at
        self._woken = asyncio.Event()
        self._claiming = 0.0
        """How long it took to claim a second, in seconds; what is long ago counts less."""
        executor.on_end = self._ended
        executor.on_stop = self.wake

    @property
    def tasks(self) -> Sequence[Task]:
        """The tasks that are scheduled now."""
        return [entry.task for entry in self._entries.values()]

    def wake(self) -> None:
        """Have the loop look at the agenda again at once."""
        self._woken.set()

    async def replace_tasks(self, tasks: Sequence[Task]) -> None:
        """Schedule these tasks from now on, and no others. Active runs of those that are gone come to their end."""
        wanted = {task.key: task for task in tasks}
        changed: dict[str, Task | None] = {}
        for key in [key for key in self._entries if key not in wanted]:
            changed[key] = None
            del self._entries[key]
            self._former.pop(key, None)
            self._agenda.put(key, None)
            self.locking.forget(key)
        fresh = [task for key, task in wanted.items() if key not in self._entries or self._entries[key].task != task]
        for task in fresh:
            known = self._entries.get(task.key)
            self._entries[task.key] = Entry(task, known.stored if known else StoredTask(task.key), 0)
            if known is not None:
                self._remember_former(known, task)
                changed[task.key] = task
        self._executor.replace_tasks(changed)
        for position, key in enumerate(wanted):
            self._entries[key].position = position
        began = time.monotonic()
        await self.decide([task.key for task in fresh])
        self._claiming = max(self._claiming, time.monotonic() - began)  # until it is known better

    def remember(self, key: str, schedule_id: str, ticks: Ticks) -> None:
        """Tell when a task was due by a schedule that is not its own any more.

        Ticks of that one on which nobody has decided, since nobody could, then end with a record.
        """
        self._former[key] = schedule_id, ticks

    async def replace_task(self, task: Task) -> None:
        """Schedule a task from now on, in place of what was known under its key."""
        known = self._entries.get(task.key)
        if known is not None and known.task == task:
            return
        position = known.position if known else len(self._entries)
        self._entries[task.key] = Entry(task, known.stored if known else StoredTask(task.key), position)
        if known is not None:
            self._remember_former(known, task)
            self._executor.replace_task(task)
        self._agenda.put(task.key, int(time.time()))
        await self.decide([task.key])

    def _remember_former(self, known: Entry, task: Task) -> None:
        if known.task.schedule_id == known.stored.state.schedule_id:
            self.remember(task.key, known.task.schedule_id, known.task.ticks)

    def remove_task(self, key: str) -> None:
        """Start no more ticks of a task. What was claimed of it still starts, see `Executor.revoke`."""
        self._entries.pop(key, None)
        self._former.pop(key, None)
        self._released.discard(key)
        self._agenda.put(key, None)
        self.locking.forget(key)

    async def release_task(self, key: str) -> int:
        """Claim no more ticks of a task; return the instant up to which its ticks are decided, once nothing is begun.

        What was claimed of it still starts. `remove_task` has to follow.
        """
        until = self.decided_until()
        self._released.add(key)
        is_begun = self._agenda.is_taken(key)
        while is_begun:
            await asyncio.sleep(_LOOK_SECONDS)
            is_begun = self._agenda.is_taken(key)
        self._agenda.put(key, None)
        entry = self._entries.get(key)
        return until if entry is None else max(until, entry.stored.state.watermark or 0)

    def decided_until(self) -> int:
        """Return an instant, the present one at the latest, up to which no tick of any task is undecided."""
        now, done = int(time.time()), self._agenda.done_until()
        return now if done is None else min(now, done)

    async def run(self) -> None:
        """Start ticks until the executor stops. No exception ends this before."""
        while not self._executor.stopping:
            try:
                await self._next()
            except Exception as error:  # noqa: BLE001 - a fault of one second must not cost all those that follow
                self._ledger.tell(f"timewright failed, and goes on: {type(error).__name__}: {error}")
                await asyncio.sleep(_LONGEST_SLEEP)
                for key in [key for key in self._entries if key not in self._agenda]:
                    self._agenda.put(key, int(time.time()))

    async def _next(self) -> None:
        """Do what is due next, or wait for it a while."""
        second = self._agenda.first()
        if second is None or second - self._lead() > time.time():
            await self._sleep_until(None if second is None else second - self._lead())
        elif second < time.time() - _LATE_SECONDS:
            await self.decide(self._agenda.take(int(time.time())))
        else:
            await self._turn(second)

    async def decide(self, keys: Iterable[str]) -> None:
        """Decide on tasks as of now and as they are recorded now, whatever was known of them."""
        if not self._executor.stopping:
            await self._decide(keys)

    async def _decide(self, keys: Iterable[str]) -> None:
        undecided = [key for key in dict.fromkeys(keys) if key in self._entries]
        while undecided:
            undecided = self._with_first_in_line(undecided)
            if not await self._reload(undecided):
                return
            plans = self._plans(undecided)
            try:
                async with self.locking.taking(plans, self._entries) as allowed:
                    undecided = await self._carry_out(allowed, gate=None)
            except StoreError:
                self._run_unclaimed(plans, gate=None)
                return
            if self._executor.stopping:
                return  # what is refused now may be refused for good

    async def _turn(self, second: int) -> None:
        """Claim the ticks of a second before it comes, start them in it, and decide there what could not be before."""
        gate = Gate()
        try:
            uncertain = await self._claim(second, gate)
            delay = second - time.time()
            while 0 < delay < LONGEST_LEAD_SECONDS:
                await asyncio.sleep(delay)
                delay = second - time.time()
        except BaseException:
            self._executor.abandon(gate)
            raise
        if self._ledger.may_start() or self._ledger.store.must_claim:
            await self._executor.open(gate)  # runs that must be claimed ask themselves whether they still are
        else:
            self._executor.abandon(gate)
        if uncertain:
            await asyncio.sleep(0)  # what is claimed starts first
            # Even if all is to end by now: a claim for some ticks of a second speaks for all of them.
            await self._decide(uncertain)

    async def _claim(self, second: int, gate: Gate) -> list[str]:
        """Claim the ticks of a second, and have their runs wait behind a gate; return what is to be decided later."""
        began = time.monotonic()
        certain: list[tuple[str, Plan]] = []
        decided_on: list[Task] = []
        uncertain: list[str] = []
        locked: list[str] = []
        keys = [key for key in self._agenda.take(second) if key in self._entries]
        for number, key in enumerate(sorted(keys, key=lambda key: self._entries[key].position)):
            if number % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)
            if key in self._entries and self._is_certain(self._entries[key]):
                planned = self._plan(key, second)
                if planned is not None:
                    task = self._entries[key].task
                    if task.policies.locks:  # it waits until its second, in which locks are taken
                        planned = waiting_for_their_second(task, self._entries[key].stored, planned)
                        locked.append(key)
                    certain.append((key, planned))
                    decided_on.append(task)
            else:
                uncertain.append(key)
        uncertain += await self._carry_out(certain, gate)
        self._follow_changes(decided_on)
        self._claiming = max(time.monotonic() - began, 0.8 * self._claiming)
        return uncertain + locked

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

    def _plan(self, key: str, now: int) -> Plan | None:
        """Decide on one task. Where that fails, the others go on, and this one is tried again later."""
        entry = self._entries[key]
        if key in self._released:
            self._agenda.put(key, None)
            return None
        try:
            return plan(entry.task, entry.stored, now, self._executor.host, self._former_ticks(entry))
        except Exception as error:  # noqa: BLE001 - one task's fault, whatever it is, is no other's
            self._ledger.tell(f"{entry.task.name}: timewright failed to decide: {type(error).__name__}: {error}")
            self._agenda.put(key, now + _TRY_AGAIN_SECONDS)
            return None

    def _former_ticks(self, entry: Entry) -> Ticks | None:
        """Return the ticks of the schedule that a task's watermark belongs to, if that is another one by now."""
        former = self._former.get(entry.task.key)
        if former is None:
            return None
        recorded = entry.stored.state.schedule_id
        if recorded == entry.task.schedule_id:
            del self._former[entry.task.key]
        return former[1] if recorded == former[0] and recorded != entry.task.schedule_id else None

    def _plans(self, keys: Iterable[str]) -> list[tuple[str, Plan]]:
        """Decide on tasks as of now."""
        now = int(time.time())
        plans = ((key, self._plan(key, now)) for key in keys if key in self._entries)
        return [(key, planned) for key, planned in plans if planned is not None]

    async def _carry_out(self, plans: Sequence[tuple[str, Plan]], gate: Gate | None) -> list[str]:
        """Record plans and start their runs, behind the gate if there is one; return the keys of those refused."""
        try:
            made = await self._ledger.claim([planned for _, planned in plans])
        except StoreError:
            self._run_unclaimed(plans, gate)
            return []
        refused = []
        for number, ((key, planned), done) in enumerate(zip(plans, made, strict=True)):
            if number % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)
            entry = self._entries.get(key)
            if not done:
                refused.append(key)
            elif entry is None:
                self._executor.end_unstarted(planned.start, "its task went away in the second of its tick")
            else:
                self._start(entry, planned, gate)
        return refused

    def _follow_changes(self, tasks: Iterable[Task]) -> None:
        """Let runs that were claimed while their task was changed know of the change."""
        for task in tasks:
            entry = self._entries.get(task.key)
            if entry is not None and entry.task is not task:
                self._executor.replace_task(entry.task)

    def _start(self, entry: Entry, planned: Plan, gate: Gate | None) -> None:
        """Start the runs of a plan that is recorded, and tell how others ended by it."""
        task, executor = entry.task, self._executor
        last_success_at = entry.stored.last_success_at
        if planned.after.version >= entry.stored.version:  # a later decision may have been carried out meanwhile
            entry.stored = planned.after
            self._agenda.put(task.key, _ask_again_at(planned))
        for run in planned.start:
            executor.start(task, run, last_success_at=last_success_at, gate=gate)
        for run in planned.resume:
            executor.start(task, run, last_success_at=last_success_at, gate=gate, resumed=True)
        if planned.change is not None:
            for run_id in planned.change.cancel:
                executor.replace(task.key, run_id)
            ended = [run for run in planned.change.runs if run.outcome is not None]
            if ended:
                executor.on_outcomes(task, ended)
            for run in ended if task.policies.locks else ():
                if run.outcome is Outcome.LOST:  # the others have held nothing
                    self.locking.ended(task, run)

    def _run_unclaimed(self, plans: Sequence[tuple[str, Plan]], gate: Gate | None) -> None:
        """Run what is due although that cannot be recorded now, except where it would be without its protection."""
        for key, planned in plans:
            entry = self._entries.get(key)
            if entry is None:
                continue
            if self._ledger.store.must_claim:
                self._agenda.put(key, int(time.time()) + 1)
                continue
            entry.stored = planned.after
            self._agenda.put(key, planned.ask_again_at)
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
            if key in self._entries:
                self._entries[key].stored = each
        return True

    def _ended(self, task: Task, run: RunRecord) -> None:
        """Make room for what waits for the end of a run."""
        if task.policies.locks:
            self.locking.ended(task, run)
        entry = self._entries.get(task.key)
        if entry is None:
            return
        entry.stored = without_run(entry.stored, run)
        open_runs = entry.stored.state.open_runs
        if open_runs and any(each.phase is OpenPhase.QUEUED or not each.proven for each in open_runs):
            self._agenda.put(task.key, int(time.time()))
            self.wake()

    def _with_first_in_line(self, keys: list[str]) -> list[str]:
        """Return the keys of tasks, and of those that wait for the same locks and go first."""
        waiting = self.locking.first_in_line(self._entries[key].task for key in keys if key in self._entries)
        return list(dict.fromkeys([*keys, *(key for key in waiting if key in self._entries)])) if waiting else keys

    def _look_at(self, keys: Iterable[str]) -> None:
        """Have the loop decide on tasks now."""
        for key in keys:
            if key in self._entries:
                self._agenda.put(key, int(time.time()))
        self.wake()

    async def _sleep_until(self, instant: float | None) -> None:
        seconds = _LONGEST_SLEEP if instant is None else min(_LONGEST_SLEEP, max(0.0, instant - time.time()))
        garbage.collect_if_idle(seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()


def _ask_again_at(planned: Plan) -> int | None:
    """Return when to decide on a task again, in UTC seconds."""
    pause = planned.after.pause
    if pause is None:
        return planned.ask_again_at
    now = int(time.time())
    if pause.until is not None and pause.until <= now:
        return planned.ask_again_at
    return min(at for at in (planned.ask_again_at, pause.until, now + _PAUSED_SECONDS) if at is not None)
