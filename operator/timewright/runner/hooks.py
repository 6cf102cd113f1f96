"""What else is to be called or told when a run begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Hook: TypeAlias = Callable[..., Any]
"""Sync or async. Called with a `current_run.RunInfo` before a run, with a `current_run.FinishedRun` after it, or with
nothing if it takes nothing."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions to call and URLs to request (GET), in order. None of them can change how a run ends."""

    before: tuple[Hook, ...] = ()
    after: tuple[Hook, ...] = ()
    """Called however the run ended, after those for success and failure."""
    on_success: tuple[Hook, ...] = ()
    on_failure: tuple[Hook, ...] = ()
    """Called when the run ended in any other way than with success."""
    ping_before: tuple[str, ...] = ()
    then_ping: tuple[str, ...] = ()
    ping_on_success: tuple[str, ...] = ()
    ping_on_failure: tuple[str, ...] = ()


NO_HOOKS = Hooks()
