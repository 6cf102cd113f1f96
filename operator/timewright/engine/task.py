"""A task as the engine runs it, wherever it was declared: in Python code, in a manifest, in a Pod's environment."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from timewright.decisions.policies import Policies
from timewright.decisions.rules import Rules
from timewright.runner.call import Call
from timewright.runner.definition import Definition
from timewright.runner.elsewhere import Elsewhere
from timewright.storage.protocol import Retention
from timewright.timetable import Schedule as Timetable
from timewright.timetable.jitter import Jittered
from timewright.timetable.ticks import Ticks


@dataclass(frozen=True, slots=True)
class Condition:
    """Something of the task's own that may keep a tick from starting."""

    text: str
    """Names it in the record of a run that it kept from starting."""
    allows: Callable[[], Any]
    """Sync or async; a falsy answer skips the tick, and so does an exception, which the record then tells."""

    async def refusal(self) -> str | None:
        """Ask it; return why the tick must not start, if it must not."""
        try:
            if inspect.iscoroutinefunction(self.allows):
                answer = await self.allows()
            else:
                answer = await asyncio.to_thread(self.allows)
                if inspect.isawaitable(answer):
                    answer = await answer
        except Exception as error:  # noqa: BLE001 - whatever a person's own condition raises
            return f"{self.text} could not be asked: {type(error).__name__}: {error}"
        return None if answer else f"{self.text} does not allow it now"


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
    even_when_paused: bool = False
    """Whether it goes on when all tasks are paused; it rests when it is paused by its own name."""
    description: str = ""
    """What it is for, to people."""
    jitter: int = 0
    """By how many seconds its starts are put off at most, see `timetable.jitter`."""
    rules: Rules = field(init=False, repr=False, compare=False)
    """What decisions on its ticks go by, as long as nobody has paused it."""

    def __post_init__(self) -> None:
        """Work out once what every tick asks for."""
        object.__setattr__(self, "rules", Rules(self.ticks, self.schedule_id, self.policies, self.suspended))

    @property
    def name(self) -> str:
        """Unique within its schedule."""
        return self.definition.name

    @property
    def is_light(self) -> bool:
        """Whether running it takes neither a thread nor a process."""
        work = self.definition.work
        return isinstance(work, Elsewhere) or (isinstance(work, Call) and work.is_async and not work.isolated)

    @property
    def ticks(self) -> Ticks:
        """When its runs are to start; never, for a task that runs by hand only."""
        if self.timetable is None:
            return NEVER
        return Jittered(self.timetable.ticks, self.key, self.jitter) if self.jitter else self.timetable.ticks

    def run_id(self, scheduled_at: int) -> str:
        """Return the identity of the run of a tick. It follows from the tick, so that a tick has one run."""
        return f"{self.name}-{scheduled_at}"


class _Never:
    """No ticks at all."""

    def first_from(self, instant: int) -> int | None:
        return None

    def last_until(self, instant: int) -> int | None:
        return None

    def count(self, start: int, end: int) -> int:
        return 0


NEVER: Ticks = _Never()
