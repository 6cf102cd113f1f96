"""Runs functions in this process, as an engine does."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from timewright.runner.call import Call
from timewright.runner.context import RunContext, context_of_run
from timewright.runner.definition import Definition
from timewright.runner.output import Output
from timewright.runner.run import execute
from timewright.runner.run_result import RunResult
from timewright.runner.stop import StopRequest

NOMINAL = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def definition_of(
    function: Callable[..., Any],
    *args: Any,
    kwargs: dict[str, Any] | None = None,
    reference: str | None = None,
    isolated: bool = False,
    **settings: Any,
) -> Definition:
    call = Call(function, args, kwargs or {}, reference, isolated)
    return Definition(settings.pop("name", "sync"), "shop", "call", call, **settings)


def context_of(definition: Definition, **settings: Any) -> RunContext:
    environ = settings.pop("environ", None) or dict(os.environ)
    return context_of_run(definition, settings.pop("run_id", "sync-1"), NOMINAL, environ=environ, **settings)


async def run_call(
    function: Callable[..., Any],
    *args: Any,
    output: Output | None = None,
    stop: StopRequest | None = None,
    deadline: float | None = None,
    grace: float = 0.2,
    context: dict[str, Any] | None = None,
    **settings: Any,
) -> RunResult:
    definition = definition_of(function, *args, **settings)
    return await execute(
        definition,
        context_of(definition, **(context or {})),
        output,
        stop,
        deadline=deadline,
        grace_seconds=grace,
    )
