"""Work that another process carries out, somewhere else, and of which this one only learns how it went."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timewright.runner.context import RunContext
    from timewright.runner.run_result import RunResult
    from timewright.runner.stop import StopRequest


class Elsewhere(ABC):
    """What to run of a definition of kind `job`. It takes neither a thread nor a process here."""

    name: str
    """For the log."""

    @abstractmethod
    async def carry_out(self, context: RunContext, stop: StopRequest) -> RunResult:
        """Start it, or find it where it was started already, and wait for its end.

        When this is cancelled, it goes on elsewhere; a stop request ends it there.
        """
