"""A run on its way, as the process that runs it knows it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from timewright.decisions.task_state import OpenPhase
from timewright.runner.stop import StopRequest

if TYPE_CHECKING:
    from timewright.engine.gate import Gate
    from timewright.engine.task import Task
    from timewright.runner.context import RunContext
    from timewright.runner.output import Output
    from timewright.runner.plain_call import Called
    from timewright.storage.records import RunRecord


@dataclass(slots=True)
class Running:
    """A run between its claim and its outcome."""

    task: Task
    run: RunRecord
    last_success_at: int | None
    gate: Gate | None
    resumed: bool
    claimed: bool
    stop: StopRequest = field(default_factory=StopRequest)
    carrier: asyncio.Task[None] | None = None
    """What brings it to its outcome, once it has begun."""
    context: RunContext | None = None
    """What it is to the code that it runs, where that was made ready before its second."""
    output: Output | None = None
    called: Called | None = None
    """How the call that it makes came to its end, until that is noted in its record."""

    @property
    def waits(self) -> bool:
        """Whether its second has not come yet."""
        return self.carrier is None

    @property
    def has_begun(self) -> bool:
        """Whether it is known to be running."""
        return self.run.phase is OpenPhase.RUNNING
