"""Timewright: declare what runs and when, once; run it anywhere; account for every tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timewright.runner.current_run import FinishedRun, RunInfo, current_run
    from timewright.schedule.errors import DeclarationError
    from timewright.schedule.schedule import Schedule

__version__ = "0.1.0"

__all__ = ["DeclarationError", "FinishedRun", "RunInfo", "Schedule", "current_run"]

_HOMES = {
    "DeclarationError": "timewright.schedule.errors",
    "FinishedRun": "timewright.runner.current_run",
    "RunInfo": "timewright.runner.current_run",
    "Schedule": "timewright.schedule.schedule",
    "current_run": "timewright.runner.current_run",
}


def __getattr__(name: str) -> object:
    """Import what is asked for, so that importing the package itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
