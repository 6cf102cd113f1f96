"""Runs what was claimed, and hands its outcome to the ledger. Whatever a task does, the others go on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from timewright.decisions.task_state import OpenPhase
from timewright.engine.apart import Apart
from timewright.engine.beside import told
from timewright.engine.carrying import Carrying
from timewright.engine.gate import Gate
from timewright.engine.running import Running
from timewright.engine.winding_up import WindingUp
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.runner.elsewhere import Elsewhere
from timewright.runner.guarded_call import prepare

if TYPE_CHECKING:
    from timewright.engine.ledger import Ledger
    from timewright.engine.surroundings import Surroundings
    from timewright.engine.task import Task
    from timewright.storage.records import RunRecord

_BATCH = 20_000
"""How many runs are made ready to begin before these do."""

_LONGEST_AHEAD = 0.25
_SHARE_AHEAD = 1.1
"""What part of the time that beginning many runs took the last time is allowed for it before their second."""

_Key: TypeAlias = tuple[str, str]


class Executor:
    """All runs of this process."""

    def __init__(self, ledger: Ledger, surroundings: Surroundings) -> None:
        """Hand outcomes to the ledger."""
        self.active: dict[_Key, Running] = {}
        """Runs that have no outcome yet, by key of their task and their own id."""
        self.host = socket.gethostname()
        self.on_end: Callable[[Task, RunRecord], None] = lambda task, run: None
        """Called with each run that has ended, once its outcome is with the ledger."""
        self.on_outcomes: Callable[[Task, Sequence[RunRecord]], None] = lambda task, runs: None
        """Called with runs of a task that have their outcome, with many at once where a decision ended many ticks."""
        self.on_stop: Callable[[], None] = lambda: None
        """Called when no more runs are to be started."""
        self.stopping = False
        """Whether all is to end: whoever starts runs starts no more."""
        self._ledger = ledger
        self._apart = Apart()
        self.carrying = Carrying(ledger, surroundings)
        """How each of them is carried out."""
        self._seconds_to_begin = 0.0
        """How long it took for each of the last runs that began together."""
        self._leaving: set[asyncio.Task[None]] = set()
        """Carriers of runs that are forgotten and have to wind up, and what is left to do after others."""
        self._over = WindingUp(self._wind_up)
        self._ended = asyncio.Event()
        ledger.on_ownership_lost = self._stop_exclusive

    def start(
        self,
        task: Task,
        run: RunRecord,
        *,
        last_success_at: int | None = None,
        gate: Gate | None = None,
        resumed: bool = False,
        claimed: bool = True,
    ) -> None:
        """Begin a run, once the gate is open if there is one.

        `resumed` says that the store knows more of the run than the record given; `claimed` is false where the store
        could not be asked, which tasks that are exclusive do not accept.
        """
        task = self._apart.as_it_runs(task)
        key = task.key, run.run_id
        running = self.active[key] = Running(task, run, last_success_at, gate, resumed, claimed)
        if not claimed:
            self._ledger.keep_unclaimed(task, run)
        if gate is None or gate.is_open:
            self._begin(running, asyncio.get_running_loop())
        else:
            gate.waiting[key] = running
            if task.definition.is_plain_call and task.in_background and not resumed:
                self.carrying.equip(running)

    def seconds_to_open(self, gate: Gate) -> float:
        """Return how long before its second to open a gate, so that its runs are ready when that comes."""
        return min(_LONGEST_AHEAD, _SHARE_AHEAD * self._seconds_to_begin * len(gate.waiting))

    async def open(self, gate: Gate, second: int) -> None:
        """Begin the runs that wait behind a gate in that second, and from now on all that come to it.

        They are put in the event loop's queue before it comes, so that nothing but their start is left to do then.
        """
        gate.is_open = True
        ready = list(gate.waiting)
        took = 0.0
        if not ready:
            return
        prepare()
        loop = asyncio.get_running_loop()
        for first in range(0, len(ready), _BATCH):
            began = time.monotonic()
            for key in ready[first : first + _BATCH]:
                running = gate.waiting.pop(key, None)
                if running is not None:
                    self._begin(running, loop)
            took += time.monotonic() - began
            _hold_back_until(second)
            await asyncio.sleep(0)  # these start before the next are made ready
        self._seconds_to_begin = took / len(ready)

    def abandon(self, gate: Gate) -> None:
        """Forget the runs that wait behind a gate: their outcome is for others to tell."""
        for key in gate.waiting:
            self.active.pop(key, None)
        gate.waiting.clear()

    def _begin(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        running.carrier = loop.create_task(self._run(running))

    def cancel(self, task: str, run_id: str) -> None:
        """Ask one run to end, because a person wants so."""
        running = self.active.get((task, run_id))
        if running is not None:
            running.stop.request("somebody asked for its end", Reason.INTERRUPTED)

    def replace(self, task: str, run_id: str) -> None:
        """Ask one run to end, because a newer one is to take its place."""
        running = self.active.get((task, run_id))
        if running is not None:
            running.stop.request("a newer run takes its place", Reason.REPLACED)

    def replace_task(self, task: Task) -> None:
        """Let runs whose second has not come yet be runs of the task as it is now, or none if it has no such tick."""
        for running in self._waiting(task.key):
            self._become(running, task)

    def replace_tasks(self, changed: Mapping[str, Task | None]) -> None:
        """Do the same for many tasks, by their keys; None stands for one that is gone."""
        for running in [running for running in self.active.values() if running.waits and running.task.key in changed]:
            task = changed[running.task.key]
            if task is None:
                self._revoke(running, "its task went away in the second of its tick")
            else:
                self._become(running, task)

    def _become(self, running: Running, task: Task) -> None:
        """Let a run whose second has not come yet be one of the task as it is now."""
        start = running.run.scheduled_at + running.run.jitter
        if task.suspended:
            self._revoke(running, "its task was suspended in the second of its tick")
        elif running.run.trigger is Trigger.SCHEDULE and task.ticks.first_from(start) != start:
            self._revoke(running, "its task was changed in the second of its tick, and has no such tick any more")
        else:
            running.task, running.context = self._apart.as_it_runs(task), None

    def set_apart(self, task: Task) -> None:
        """Call the function of a task in a process of its own from its next run on, until the task is edited."""
        self._apart.put(task)
        for running in self._waiting(task.key):
            self._become(running, running.task)  # which may be one that was edited since

    def detach(self) -> None:
        """Forget the runs that go on elsewhere, which another process follows from now on."""
        self._over.wind_up_all()
        for key, running in list(self.active.items()):
            if isinstance(running.task.definition.work, Elsewhere):
                del self.active[key]
                if running.carrier is not None:
                    self._leaving.add(running.carrier)
                    running.carrier.cancel()
                elif running.gate is not None:
                    running.gate.waiting.pop(key, None)

    def has_unstarted(self, key: str) -> bool:
        """Tell whether a task has runs that were claimed and have not been started yet."""
        return any(
            running.task.key == key and (running.waits or running.run.phase is OpenPhase.CLAIMED)
            for running in self.active.values()
        )

    def stop_task(self, key: str, message: str) -> None:
        """End all runs of a task, those that have not been started yet included."""
        self.revoke(key, message)
        for running in self.active.values():
            if running.task.key == key:
                running.stop.request(message)

    def revoke(self, key: str, message: str) -> None:
        """End the runs of a task whose second has not come yet, without a start."""
        for running in self._waiting(key):
            self._revoke(running, message)

    def end_unstarted(self, runs: Iterable[RunRecord], message: str) -> None:
        """Record claimed runs as ended without a start, since their task has changed or gone."""
        for run in runs:
            run.end(Outcome.CANCELLED, Reason.SCHEDULE_CHANGED, message)
            self._ledger.finished(run)

    def _waiting(self, key: str) -> list[Running]:
        return [running for running in self.active.values() if running.task.key == key and running.waits]

    def _revoke(self, running: Running, message: str) -> None:
        key = running.task.key, running.run.run_id
        if running.gate is not None:
            running.gate.waiting.pop(key, None)
        running.run.end(Outcome.CANCELLED, Reason.SCHEDULE_CHANGED, message)
        self._finish(running)

    def begin_to_stop(self) -> None:
        """Start no more runs; those that are active go on."""
        self.stopping = True
        self._ended.set()
        self.on_stop()

    def stop_all(self, message: str) -> None:
        """Ask all runs to end, and start no more."""
        self.begin_to_stop()
        for running in self.active.values():
            running.stop.request(message)

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until a run has ended since the last call or all is to end, but no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        self._ended.clear()

    def look_after(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out something that is left to do after runs; `drain` waits for it as well."""
        task = asyncio.get_running_loop().create_task(work)
        self._leaving.add(task)
        task.add_done_callback(lambda done: self._leaving.discard(done))

    async def drain(self) -> None:
        """Wait until all runs have ended."""
        while (carriers := self._carriers()) or self._over:
            if carriers:
                await asyncio.wait(carriers)
            self._over.wind_up_all()

    def _carriers(self) -> set[asyncio.Task[None]]:
        self._leaving = {carrier for carrier in self._leaving if not carrier.done()}
        begun = (each.carrier for each in self.active.values() if each.carrier is not None)
        return self._leaving | {carrier for carrier in begun if not carrier.done()}

    async def _run(self, running: Running) -> None:
        """Bring a run to its outcome, and tell it."""
        try:
            await self.carrying.carry_out(running)
        except asyncio.CancelledError:
            self._forget(running)
            return
        except Exception as error:  # noqa: BLE001 - a fault of our own must end this run alone, and be told
            _note_fault(running.run, error)
        self._over.take(running)

    def _wind_up(self, running: Running) -> None:
        """Note how a run ended, and tell it."""
        try:
            self.carrying.wind_up(running)
        except Exception as error:  # noqa: BLE001 - as above
            _note_fault(running.run, error)
        try:
            self._finish(running)
        except Exception as error:  # noqa: BLE001 - nor must it cost the outcomes of others
            self._ledger.tell(f"{running.task.name}: timewright failed to tell how a run ended: {told(error)}")

    def _finish(self, running: Running) -> None:
        """Tell the outcome of a run."""
        task, run = running.task, running.run
        self._forget(running)
        run.phase = None
        self._ledger.finished(run)
        self._ended.set()
        self.on_end(task, run)
        self.on_outcomes(task, (run,))

    def _forget(self, running: Running) -> None:
        key = running.task.key, running.run.run_id
        if self.active.get(key) is running:
            del self.active[key]

    def _stop_exclusive(self) -> None:
        """End the runs of tasks that others may have started anew by now.

        Those that go on elsewhere are followed by whoever took over: to end them would end that one's.
        """
        for running in self.active.values():
            if running.task.exclusive and not isinstance(running.task.definition.work, Elsewhere):
                running.stop.request("this process was taken for dead, so another may run the task by now")


def _note_fault(run: RunRecord, error: Exception) -> None:
    run.end(Outcome.FAILED, Reason.EXCEPTION, f"timewright failed: {type(error).__name__}: {error}")


def _hold_back_until(second: int) -> None:
    """Keep the event loop from going on before a second that comes within milliseconds: what is ready would begin."""
    early = second - time.time()
    if 0 < early <= _LONGEST_AHEAD:
        time.sleep(early)
