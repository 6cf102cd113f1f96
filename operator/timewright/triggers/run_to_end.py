"""Runs a coroutine for a caller that knows of no event loop."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_to_end(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on an event loop of its own, and return its result.

    Other than asyncio.run(), it does not wait for the threads of the loop: one that hangs, in a name look-up say, would
    hold up the caller. Raises RuntimeError where an event loop is running already.
    """
    from timewright.runner.event_loop import run

    return run(coroutine)
