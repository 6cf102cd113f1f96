"""Brings one run to its outcome: whether it may start here and now, what it waits for, and its execution."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from timewright.decisions.task_state import OpenPhase
from timewright.engine.telling import instant
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.runner import plain_call
from timewright.runner.context import RunContext, context_of_run
from timewright.runner.current_run import CURRENT
from timewright.runner.definition import DefinitionError
from timewright.runner.elsewhere import Elsewhere
from timewright.runner.masking import Masker
from timewright.runner.output import Output
from timewright.runner.run import execute, is_plain
from timewright.storage.protocol import StoreError

if TYPE_CHECKING:
    from timewright.engine.ledger import Ledger
    from timewright.engine.running import Running
    from timewright.engine.surroundings import Surroundings
    from timewright.engine.task import Task
    from timewright.runner.call import Call
    from timewright.runner.run_result import RunResult
    from timewright.storage.records import RunRecord

_NOT_HELD = "when it was to start, others could have taken over, since the store had not been reached for too long"


class Carrying:
    """How runs of this process are carried out. One for all of them: some wait for each other."""

    def __init__(self, ledger: Ledger, surroundings: Surroundings) -> None:
        """Ask the ledger whether what is claimed may start."""
        self.before_manual: Callable[[Task, RunRecord], Awaitable[str | None]] | None = None
        """Awaited before a run by hand starts, and asked why it must not, if it must not."""
        self._ledger = ledger
        self._may_start = ledger.holds if ledger.store.must_claim else None
        self._surroundings = surroundings
        self._slots = asyncio.Semaphore(surroundings.processes)
        self._foreground = asyncio.Lock()

    def carry_out(self, running: Running) -> Coroutine[Any, Any, None]:
        """Bring a run to its outcome, which is then in its record. To be awaited."""
        task, context, output = running.task, running.context, running.output
        if context is None or output is None or task.exclusive or task.conditions:
            return self._judge(running)
        if not is_plain(task.definition, output, self._surroundings.deadline):
            return self._judge(running)
        return self._call(running, context, output)  # nothing else can come before

    def wind_up(self, running: Running) -> None:
        """Note on a run how it ended, where `carry_out` has left that to be done later."""
        called, output = running.called, running.output
        if called is not None and output is not None:
            call = cast("Call", running.task.definition.work)
            take_result(plain_call.wind_up(called, call, output, running.stop), running.run)

    async def _call(self, running: Running, context: RunContext, output: Output) -> None:
        """Make a plain call, which waits for nothing."""
        run = running.run
        if self._may_start is not None and not self._may_start():
            run.end(Outcome.MISSED, Reason.DOWNTIME, _NOT_HELD)
            return
        run.phase = OpenPhase.RUNNING
        CURRENT.set(context)  # for good: the context is that of the carrier, which does nothing else
        call, grace = cast("Call", running.task.definition.work), self._surroundings.grace_seconds
        running.called = await plain_call.begin(call, context, output, running.stop, grace, running.carrier)

    async def _judge(self, running: Running) -> None:
        """Execute a run if it may start here and now, once there is room for it."""
        task, run = running.task, running.run
        unprotected = self._unprotected(running)
        if unprotected is not None:
            run.end(Outcome.SKIPPED, Reason.UNPROTECTED, unprotected)
            return None
        if task.conditions and run.trigger is not Trigger.MANUAL:
            for condition in task.conditions:
                text = await condition.refusal()
                if text is not None:
                    run.end(Outcome.SKIPPED, Reason.CONDITION, text)
                    return None
        if running.resumed:
            await self._complete(run)
        place = self._place(task)
        if place is None:
            return await self._execute(running)
        async with place:
            return await self._execute(running)

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

    async def _execute(self, running: Running) -> None:
        task, run, surroundings = running.task, running.run, self._surroundings
        context, output = running.context, running.output
        if context is None or output is None:
            try:
                context, output = self.equip(running)
            except DefinitionError as error:
                run.end(Outcome.FAILED, Reason.INVALID_DEFINITION, str(error))
                return None
        if run.trigger is Trigger.MANUAL and self.before_manual is not None:
            refusal = await self.before_manual(task, run)
            if refusal is not None:
                run.end(Outcome.SKIPPED, Reason.CONDITION, refusal)
                return None
        # Asked here, after all waiting: a process may be stopped for minutes at any instruction.
        if self._may_start is not None and not self._may_start():
            run.end(Outcome.MISSED, Reason.DOWNTIME, _NOT_HELD)
            return None
        run.phase = OpenPhase.RUNNING
        definition, work = task.definition, task.definition.work
        if isinstance(work, Elsewhere):
            return take_result(await work.carry_out(context, running.stop), run)
        deadline, grace = surroundings.deadline, surroundings.grace_seconds
        result = await execute(definition, context, output, running.stop, deadline=deadline, grace_seconds=grace)
        return take_result(result, run)

    def equip(self, running: Running) -> tuple[RunContext, Output]:
        """Give a run what it needs to be carried out. Raises DefinitionError."""
        task, run, surroundings = running.task, running.run, self._surroundings
        context = context_of_run(
            task.definition,
            run.run_id,
            instant(run.scheduled_at),
            environ=surroundings.environ,
            trigger=run.trigger,
            parameters=run.parameters,
            last_success_at=None if running.last_success_at is None else instant(running.last_success_at),
        )
        output = Output(
            Masker(context.masked) if context.masked else None,
            label=task.name,
            frame=None if surroundings.frame_of is None else surroundings.frame_of(task.name),
            live=surroundings.live,
            says=surroundings.says,
            stdout=surroundings.shown_on[0],
            stderr=surroundings.shown_on[1],
        )
        running.context, running.output = context, output
        return context, output

    async def _complete(self, run: RunRecord) -> None:
        """Take over from the store what was recorded with a run when it was asked for."""
        with contextlib.suppress(StoreError):
            known = await self._ledger.store.find(run.task, run_id=run.run_id)
            if known is not None:
                run.parameters, run.idempotency_key = known.parameters, known.idempotency_key

    def _place(self, task: Task) -> contextlib.AbstractAsyncContextManager[Any] | None:
        """Return what a task has to hold while it runs."""
        if not task.in_background:
            return self._foreground
        return None if task.is_light else self._slots


def take_result(result: RunResult, run: RunRecord) -> None:
    """Note on a run how it ended."""
    run.outcome, run.reason, run.message = result.outcome, result.reason, result.message
    run.started_at, run.finished_at = result.started_at, result.finished_at
    run.exit_code, run.output, run.attempts = result.exit_code, result.output, result.attempts
    run.peak_memory_bytes = result.peak_memory_bytes
