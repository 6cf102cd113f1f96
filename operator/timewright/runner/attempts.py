"""When a run tries again, and how long each try may take."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from timewright.resources.vocabulary import Outcome, Reason
from timewright.runner.limits import Limits

if TYPE_CHECKING:
    from timewright.decisions.policies import Retry
    from timewright.runner.definition import Definition
    from timewright.runner.result import Result
    from timewright.runner.stop import StopRequest

SHORTEST_SECONDS = 0.25
"""Less time than this is no time: that a process is gone has to be seen to, and told."""

MOST_KEPT = 63
"""How many failed attempts a record holds; the latest are kept."""

_GRACE_SHARE = 0.1
"""The share of what time is left that a task has for its end when the time is up."""

_LONGEST_MESSAGE = 4096
_LONGEST_OUTPUT = 8192


def limits_of(definition: Definition, grace: float, deadline: float | None, *, owns_orphans: bool) -> Limits | None:
    """Return the limits of an attempt that begins now, or None if none can.

    `grace` is in seconds, `deadline` in seconds of `time.monotonic()`.
    """
    limits = Limits(
        timeout=definition.timeout_seconds,
        grace=grace,
        memory_bytes=definition.memory_limit_bytes,
        owns_orphans=owns_orphans,
    )
    if not definition.is_manifest:
        limits.timeout_name = "its time-out"
    if deadline is None:
        return limits
    remaining = deadline - time.monotonic()
    limits.grace = min(grace, max(0.0, remaining * _GRACE_SHARE))
    limits.stray_grace = min(limits.stray_grace, limits.grace)
    room = remaining - limits.grace - SHORTEST_SECONDS
    if room <= 0:
        return None
    if limits.timeout is None or room < limits.timeout:
        limits.timeout = round(room, 3)
        limits.is_deadline = True
    return limits


def may_try_again(result: Result) -> bool:
    """Tell whether another attempt could end otherwise."""
    return result.outcome is Outcome.FAILED and result.reason != Reason.INVALID_DEFINITION.value


def wait_after(retry: Retry, failed_attempts: int) -> float | None:
    """Return how many seconds the next attempt waits, or None if there is none."""
    if failed_attempts > retry.limit:
        return None
    import random

    from timewright.decisions.retries import wait_before_next_attempt

    return wait_before_next_attempt(retry, failed_attempts, random.random())  # noqa: S311 - no secret


async def pause(seconds: float, stop: StopRequest) -> None:
    """Wait, but no longer than until somebody asks to stop."""
    waiting = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({waiting}, timeout=seconds)
    finally:
        waiting.cancel()


def attempt_manifest(number: int, result: Result, started: float, ended: float, output: str) -> dict[str, Any]:
    """Return a failed attempt as `resources.task_run.Attempt` manifests are. Times are seconds since 1970."""
    manifest: dict[str, Any] = {
        "number": number,
        "startTime": _timestamp(started),
        "completionTime": _timestamp(ended),
        "reason": result.reason,
    }
    if result.exit_code is not None:
        manifest["exitCode"] = result.exit_code
    if result.message:
        manifest["message"] = result.message[:_LONGEST_MESSAGE]
    if output:
        manifest["output"] = output[-_LONGEST_OUTPUT:]
    return manifest


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
