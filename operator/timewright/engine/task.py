"""A task as the engine runs it, wherever it was declared: in Python code, in a manifest, in a Pod's environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from timewright.decisions.policies import Policies
from timewright.runner.definition import Definition
from timewright.storage.protocol import Retention
from timewright.timetable import Schedule as Timetable


@dataclass(frozen=True, slots=True)
class Condition:
    """Something of the task's own that may keep a tick from starting."""

    text: str
    """Names it in the record of a run that it kept from starting."""
    allows: Callable[[], Any]
    """Sync or async; a falsy answer skips the tick, and so does an exception, which the record then tells."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to run, when, and under which policies."""

    definition: Definition
    key: str
    """Identity in the store. Those who share a key share its ticks: each tick runs once among them."""
    timetable: Timetable | None
    """None for a task that runs by hand only."""
    schedule_id: str
    policies: Policies = Policies()
    suspended: bool = False
    exclusive: bool = False
    """Never run it unless its claim is recorded in a store that all who might run it see."""
    in_background: bool = True
    """Whether others may run beside it in one invocation of `schedule:run`."""
    conditions: tuple[Condition, ...] = ()
    retention: Retention = Retention()

    @property
    def name(self) -> str:
        """Unique within its schedule."""
        return self.definition.name
