"""Runs what was claimed, and hands its outcome to the ledger. Whatever a task does, the others go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from timewright.decisions.task_state import OpenPhase
from timewright.engine.gate import Gate, GateClosed
from timewright.engine.telling import instant
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.runner.context import context_of_run
from timewright.runner.definition import DefinitionError
from timewright.runner.elsewhere import Elsewhere
from timewright.runner.masking import Masker
from timewright.runner.output import STDERR, STDOUT, Frame, Output
from timewright.runner.run import execute
from timewright.runner.stop import StopRequest
from timewright.storage.protocol import StoreError

if TYPE_CHECKING:
    from timewright.engine.ledger import Ledger
    from timewright.engine.task import Task
    from timewright.runner.run_result import RunResult
    from timewright.storage.records import RunRecord

PROCESSES = 32
"""How many runs that need a thread, a process or a connection are active at once; more wait for their turn."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What runs find where they run."""

    refusal: str | None = None
    """Why exclusive tasks must not run here, if they must not."""
    processes: int = PROCESSES
    live: bool = True
    """Whether what they print is shown as they print it."""
    says: bool = True
    """Whether the beginning and the end of each run are shown, too."""
    shown_on: tuple[int, int] = (STDOUT, STDERR)
    """The descriptors on which it is."""
    frame_of: Callable[[str], Frame] | None = None
    """For the name of a task, what makes of a line that it prints what is shown; without it the name comes before."""
    deadline: float | None = None
    """When every run has to be over, in seconds of `time.monotonic()`; None when there is no hurry."""
    grace_seconds: float = 10.0
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))


@dataclass(slots=True)
class Running:
    """A run between its claim and its outcome."""

    task: Task
    run: RunRecord
    last_success_at: int | None
    gate: asyncio.Event | None
    resumed: bool
    claimed: bool
    stop: StopRequest = field(default_factory=StopRequest)
    carrier: asyncio.Task[None] | None = None
    """What brings it to its outcome."""
    revoked: str | None = None
    """Why it is not to start after all, in words."""
    is_carried: bool = False
    """Whether the carrier has begun: before that, to cancel it would end it without a word."""

    @property
    def waits(self) -> bool:
        """Whether its second has not come yet."""
        return self.gate is not None and not self.gate.is_set()

    @property
    def has_begun(self) -> bool:
        """Whether it is known to be running."""
        return self.run.phase is OpenPhase.RUNNING and not self.waits


class Executor:
    """All runs of this process."""

    def __init__(self, ledger: Ledger, surroundings: Surroundings) -> None:
        """Hand outcomes to the ledger."""
        self.active: dict[tuple[str, str], Running] = {}
        """Runs that have no outcome yet, by key of their task and their own id."""
        self.host = socket.gethostname()
        self.on_end: Callable[[Task, RunRecord], None] = lambda task, run: None
        """Called with each run that has ended, once its outcome is with the ledger."""
        self.on_outcomes: Callable[[Task, Sequence[RunRecord]], None] = lambda task, runs: None
        """Called with runs of a task that have their outcome, with many at once where a decision ended many ticks."""
        self.on_stop: Callable[[], None] = lambda: None
        """Called when no more runs are to be started."""
        self.before_manual: Callable[[Task, RunRecord], Awaitable[str | None]] | None = None
        """Awaited before a run by hand starts, and asked why it must not, if it must not."""
        self.stopping = False
        """Whether all is to end: whoever starts runs starts no more."""
        self._ledger = ledger
        self._opened = Gate(ledger.may_start) if ledger.store.must_claim else None
        if self._opened is not None:
            self._opened.set()
        self._surroundings = surroundings
        self._slots = asyncio.Semaphore(surroundings.processes)
        self._foreground = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        ledger.on_ownership_lost = self._stop_exclusive

    def start(
        self,
        task: Task,
        run: RunRecord,
        *,
        last_success_at: int | None = None,
        gate: asyncio.Event | None = None,
        resumed: bool = False,
        claimed: bool = True,
    ) -> None:
        """Begin a run, once the gate is open if there is one.

        `resumed` says that the store knows more of the run than the record given; `claimed` is false where the store
        could not be asked, which tasks that are exclusive do not accept.
        """
        running = Running(task, run, last_success_at, gate or self._opened, resumed, claimed)
        self.active[task.key, run.run_id] = running
        if not claimed:
            self._ledger.keep_unclaimed(task, run)
        running.carrier = asyncio.ensure_future(self._run(running))
        self._tasks.add(running.carrier)
        running.carrier.add_done_callback(self._tasks.discard)

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
        tick = running.run.scheduled_at
        if task.suspended:
            self._revoke(running, "its task was suspended in the second of its tick")
        elif running.run.trigger is Trigger.SCHEDULE and task.ticks.first_from(tick) != tick:
            self._revoke(running, "its task was changed in the second of its tick, and has no such tick any more")
        elif running.task is not task and running.carrier is not None:
            running.carrier.cancel()
            run, gate = running.run, running.gate
            run.phase = OpenPhase.CLAIMED
            self.start(task, run, last_success_at=running.last_success_at, gate=gate, resumed=running.resumed)

    def detach(self) -> None:
        """Forget the runs that go on elsewhere, which another process follows from now on."""
        for running in list(self.active.values()):
            if isinstance(running.task.definition.work, Elsewhere) and running.carrier is not None:
                running.carrier.cancel()

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
            _end(run, Outcome.CANCELLED, Reason.SCHEDULE_CHANGED, message)
            run.phase = None
            self._ledger.finished(run)

    def _waiting(self, key: str) -> list[Running]:
        return [running for running in self.active.values() if running.task.key == key and running.waits]

    def _revoke(self, running: Running, message: str) -> None:
        running.revoked = message
        if running.carrier is not None and running.is_carried:
            running.carrier.cancel()

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

    async def drain(self) -> None:
        """Wait until all runs have ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def abandon(self, gate: asyncio.Event) -> None:
        """Forget the runs that wait behind a gate: their outcome is for others to tell."""
        for running in list(self.active.values()):
            if running.gate is gate and running.carrier is not None:
                running.carrier.cancel()

    async def _run(self, running: Running) -> None:
        """Bring a run to its outcome, and tell it."""
        run = running.run
        running.is_carried = True
        try:
            await self._carry_out(running)
        except asyncio.CancelledError:
            if running.revoked is None:
                return  # abandoned
            _end(run, Outcome.CANCELLED, Reason.SCHEDULE_CHANGED, running.revoked)
        except GateClosed:
            _end(run, Outcome.MISSED, Reason.DOWNTIME, _NOT_HELD)
        except Exception as error:  # noqa: BLE001 - a fault of our own must end this run alone, and be told
            _end(run, Outcome.FAILED, Reason.EXCEPTION, f"timewright failed: {type(error).__name__}: {error}")
        finally:
            if self.active.get((running.task.key, run.run_id)) is running:
                del self.active[running.task.key, run.run_id]
        run.phase = None
        self._ledger.finished(run)
        self._ended.set()
        self.on_end(running.task, run)
        self.on_outcomes(running.task, (run,))

    async def _carry_out(self, running: Running) -> None:
        task, run, gate = running.task, running.run, running.gate
        if running.revoked is not None:
            return _end(run, Outcome.CANCELLED, Reason.SCHEDULE_CHANGED, running.revoked)
        unprotected = self._unprotected(running)
        if unprotected is not None:
            return _end(run, Outcome.SKIPPED, Reason.UNPROTECTED, unprotected)
        if task.conditions and run.trigger is not Trigger.MANUAL:
            if gate is not None:
                await gate.wait()
                gate = None
            for condition in task.conditions:
                text = await condition.refusal()
                if text is not None:
                    return _end(run, Outcome.SKIPPED, Reason.CONDITION, text)
        if running.resumed:
            await self._complete(run)
        async with self._place(task):
            await self._execute(running, gate)
        return None

    def _unprotected(self, running: Running) -> str | None:
        """Say why an exclusive task must not run here and now, if it must not."""
        if not running.task.exclusive:
            return None
        if running.claimed:
            return self._surroundings.refusal
        return (
            "the store cannot be used, and a task that must not run twice at once does not run without it; "
            "the log tells what is wrong with the store"
        )

    async def _execute(self, running: Running, gate: asyncio.Event | None) -> None:
        task, run, surroundings = running.task, running.run, self._surroundings
        try:
            context = context_of_run(
                task.definition,
                run.run_id,
                instant(run.scheduled_at),
                environ=surroundings.environ,
                trigger=run.trigger,
                parameters=run.parameters,
                last_success_at=None if running.last_success_at is None else instant(running.last_success_at),
            )
        except DefinitionError as error:
            return _end(run, Outcome.FAILED, Reason.INVALID_DEFINITION, str(error))
        if run.trigger is Trigger.MANUAL and self.before_manual is not None:
            refusal = await self.before_manual(task, run)
            if refusal is not None:
                return _end(run, Outcome.SKIPPED, Reason.CONDITION, refusal)
        run.phase = OpenPhase.RUNNING
        work = task.definition.work
        if isinstance(work, Elsewhere):
            if gate is not None:
                await gate.wait()
            _copy(await work.carry_out(context, running.stop), run)
            return None
        result = await execute(
            task.definition,
            context,
            Output(
                Masker(context.masked),
                label=task.name,
                live=surroundings.live,
                frame=None if surroundings.frame_of is None else surroundings.frame_of(task.name),
                says=surroundings.says,
                stdout=surroundings.shown_on[0],
                stderr=surroundings.shown_on[1],
            ),
            running.stop,
            start=gate,
            deadline=surroundings.deadline,
            grace_seconds=surroundings.grace_seconds,
        )
        _copy(result, run)
        return None

    async def _complete(self, run: RunRecord) -> None:
        """Take over from the store what was recorded with a run when it was asked for."""
        with contextlib.suppress(StoreError):
            known = await self._ledger.store.find(run.task, run_id=run.run_id)
            if known is not None:
                run.parameters, run.idempotency_key = known.parameters, known.idempotency_key

    def _place(self, task: Task) -> contextlib.AbstractAsyncContextManager[Any]:
        """Return what a task has to hold while it runs."""
        if not task.in_background:
            return self._foreground
        return _NOTHING if task.is_light else self._slots

    def _stop_exclusive(self) -> None:
        """End the runs of tasks that others may have started anew by now."""
        for running in self.active.values():
            if running.task.exclusive:
                running.stop.request("this process was taken for dead, so another may run the task by now")


_NOTHING = contextlib.nullcontext()

_NOT_HELD = "when it was to start, others could have taken over, since the store had not been reached for too long"


def _copy(result: RunResult, run: RunRecord) -> None:
    run.outcome, run.reason, run.message = result.outcome, result.reason, result.message
    run.started_at, run.finished_at = result.started_at, result.finished_at
    run.exit_code, run.output, run.attempts = result.exit_code, result.output, result.attempts
    run.peak_memory_bytes = result.peak_memory_bytes


def _end(run: RunRecord, outcome: Outcome, reason: Reason, message: str) -> None:
    run.outcome, run.reason, run.message = outcome, reason.value, message
