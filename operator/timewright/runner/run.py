"""Executes one run: from a definition and a context to a result, over as many attempts as the policy allows."""

from __future__ import annotations

import asyncio
import importlib
import math
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from timewright.resources.times import format_time
from timewright.resources.vocabulary import Outcome, Reason
from timewright.runner import attempts, plain_call
from timewright.runner.call import Call
from timewright.runner.context import RunContext
from timewright.runner.current_run import CURRENT, FinishedRun
from timewright.runner.definition import Definition, Kind
from timewright.runner.hooks import NO_HOOKS
from timewright.runner.limits import GRACE_SECONDS, Limits
from timewright.runner.output import STDERR, Output
from timewright.runner.result import Result, cancelled, disturbed, failed
from timewright.runner.run_result import RunResult
from timewright.runner.stop import StopRequest

KINDS: dict[Kind, str] = {
    "command": "timewright.runner.command",
    "http": "timewright.runner.http_request",
    "python": "timewright.runner.python_call",
    "call": "timewright.runner.in_process",
}
"""The module that runs each kind; imported when the first task of that kind runs."""

Runner: TypeAlias = Callable[[Any, RunContext, Output, StopRequest, Limits], Awaitable[Result]]

_runners: dict[Kind, Runner] = {}


def execute(
    definition: Definition,
    context: RunContext,
    output: Output | None = None,
    stop: StopRequest | None = None,
    *,
    deadline: float | None = None,
    owns_orphans: bool = False,
    grace_seconds: float = GRACE_SECONDS,
) -> Coroutine[Any, Any, RunResult]:
    """Run a task, with further attempts if it fails and may have them, and tell how it went. To be awaited.

    Whatever the task does, this returns. To end it early use `stop`; it cannot be cancelled. Without `output`
    everything is recorded and nothing shown.

    `deadline` is when this has to have returned, in seconds of `time.monotonic()`: no attempt begins that cannot end by
    then, and one that is running is ended a little before. `owns_orphans` says that this Python process runs this one
    task and nothing else. `grace_seconds` is how long a task that is to stop has between SIGTERM and SIGKILL.
    """
    output, stop = output or Output(live=False), stop or StopRequest()
    if is_plain(definition, output, deadline):
        return plain_call.carry_out(cast("Call", definition.work), context, output, stop, grace_seconds)
    return _Run(definition, context, output, stop, deadline, owns_orphans, grace_seconds).carry_out()


def is_plain(definition: Definition, output: Output, deadline: float | None) -> bool:
    """Tell whether there is nothing to do but call an async function."""
    return definition.is_plain_call and deadline is None and not output.says


class _Run:
    """One run on its way."""

    __slots__ = (
        "_attempts",
        "_context",
        "_deadline",
        "_definition",
        "_grace",
        "_output",
        "_owns_orphans",
        "_runner",
        "_stop",
    )

    def __init__(
        self,
        definition: Definition,
        context: RunContext,
        output: Output,
        stop: StopRequest,
        deadline: float | None,
        owns_orphans: bool,
        grace: float,
    ) -> None:
        self._definition = definition
        self._context = context
        self._output = output
        self._stop = stop
        self._deadline = deadline
        self._owns_orphans = owns_orphans
        self._grace = grace
        self._attempts: list[dict[str, Any]] | None = None
        self._runner = _runner_of(definition.kind)

    async def carry_out(self) -> RunResult:
        """Make attempts, with the hooks before and after."""
        definition, context, output = self._definition, self._context, self._output
        started = time.time()
        token = CURRENT.set(context)
        context.output = output
        try:
            if output.says:
                self._announce()
            if definition.output_file is not None:
                output.copy_to(definition.output_file)
            if definition.hooks is NO_HOOKS:
                result = await self._attempt_until_done()
                ended = context.ended or time.time()
            else:
                result, ended = await self._with_hooks(started)
            output.close()
        finally:
            CURRENT.reset(token)
        told = RunResult(
            result.outcome,
            result.reason,
            output.masker.mask(result.message) if result.message else "",
            started,
            ended,
            result.exit_code,
            output.text(),
            self._attempts or [],
            result.peak_memory_bytes,
            context.attempt,
        )
        if output.says:
            output.say(_summary(told))
        return told

    async def _attempt_until_done(self) -> Result:
        """Make attempts until one does not fail, or none is left."""
        number = 1
        while True:
            limits = attempts.limits_of(self._definition, self._grace, self._deadline, owns_orphans=self._owns_orphans)
            if limits is None:
                return failed(Reason.DEADLINE_EXCEEDED, "not started: whoever started this leaves it no time")
            if self._stop.requested:
                return cancelled(self._stop)
            started = time.time()
            result = await self._attempt(limits)
            ended = time.time()
            self._output.flush()
            if result.succeeded or not attempts.may_try_again(result):
                return result
            wait = attempts.wait_after(self._definition.retry, number)
            if wait is None or self._stop.requested:
                return result
            if self._deadline is not None and time.monotonic() + wait >= self._deadline - attempts.SHORTEST_SECONDS:
                self._output.note("not tried again: whoever started this leaves it no time for another attempt")
                return result
            self._output.say(f"attempt {number} failed ({result.reason}): {result.message}; the next in {wait:.1f} s")
            if not await self._pause(wait):
                return result
            if self._stop.requested:
                text = f"{self._stop.message}; attempt {number} had failed: {result.message}"
                return Result(Outcome.CANCELLED, self._stop.reason.value, text, result.exit_code)
            self._keep_attempt(number, result, started, ended)
            number += 1

    async def _attempt(self, limits: Limits) -> Result:
        try:
            return await self._runner(self._definition.work, self._context, self._output, self._stop, limits)
        except asyncio.CancelledError:
            _take_back_cancellation()
            return disturbed()
        except Exception as error:  # noqa: BLE001 - a fault of our own must be told as the end of this run
            self._output.show(traceback.format_exc(), STDERR)
            return failed(Reason.EXCEPTION, f"the runner failed: {type(error).__name__}: {error}")

    async def _pause(self, seconds: float) -> bool:
        """Wait for the next attempt; return False if there is to be none since the asyncio task was cancelled."""
        try:
            await attempts.pause(seconds, self._stop)
        except asyncio.CancelledError:
            _take_back_cancellation()
            return False
        return True

    def _keep_attempt(self, number: int, result: Result, started: float, ended: float) -> None:
        """Put a failed attempt on record, and begin with the next."""
        result.message = self._output.masker.mask(result.message)
        manifest = attempts.attempt_manifest(number, result, started, ended, self._output.text())
        self._attempts = [*(self._attempts or ()), manifest][-attempts.MOST_KEPT :]
        self._output.end_attempt()
        self._context.begin_attempt(number + 1)

    async def _with_hooks(self, started: float) -> tuple[Result, float]:
        """Make attempts between the hooks; return also when the last attempt ended."""
        from timewright.runner.hook_calls import HookCalls

        calls = HookCalls(self._definition.hooks, self._output, self._remaining)
        await self._hook(calls.before(self._context.info()))
        result = await self._attempt_until_done()
        ended = time.time()
        finished = self._finished(result, started, ended)
        await self._hook(calls.after(finished, succeeded=result.succeeded))
        return result, ended

    async def _hook(self, calling: Coroutine[Any, Any, None]) -> None:
        try:
            await calling
        except asyncio.CancelledError:
            _take_back_cancellation()
        except Exception as error:  # noqa: BLE001 - no hook may hide how the run ended
            self._output.note(f"hooks: {type(error).__name__}: {error}")

    def _remaining(self) -> float:
        return math.inf if self._deadline is None else self._deadline - time.monotonic() - attempts.SHORTEST_SECONDS

    def _finished(self, result: Result, started: float, ended: float) -> FinishedRun:
        context = self._context
        return FinishedRun(
            context.task,
            context.run_id,
            context.scheduled_at,
            context.parameters,
            context.trigger,
            context.attempt,
            context.last_success_at,
            result.outcome,
            result.reason,
            self._output.masker.mask(result.message),
            result.exit_code,
            self._output.text(),
            datetime.fromtimestamp(started, UTC),
            datetime.fromtimestamp(ended, UTC),
        )

    def _announce(self) -> None:
        context = self._context
        self._output.say(
            f"run {context.run_id} of task {self._definition.name}, nominal time {format_time(context.scheduled_at)}: "
            f"{self._definition.summary()}"
        )


def _take_back_cancellation() -> None:
    """Have it that the asyncio task was not cancelled: whoever waits for it gets a result."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _runner_of(kind: Kind) -> Runner:
    runner = _runners.get(kind)
    if runner is None:
        runner = _runners[kind] = importlib.import_module(KINDS[kind]).run
    return runner


def _summary(result: RunResult) -> str:
    """Say how it ended in one line: the last of the log."""
    text = f"{result.outcome} after {result.finished_at - result.started_at:.1f} s"
    if result.reason != Reason.COMPLETED.value:
        text += f" ({result.reason})"
    return f"{text}: {result.message}" if result.message else text
