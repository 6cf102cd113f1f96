"""Passes the signals that ask this process to end on to its runs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from timewright.cli.exit_codes import by_signal
from timewright.cli.signals import SignalTaker

if TYPE_CHECKING:
    from timewright.engine.executor import Executor


class Stopping:
    """Ends all runs at the first signal, so that each is recorded as Cancelled."""

    def __init__(self) -> None:
        """Begin without having seen one."""
        self.signal: signal.Signals | None = None
        """The first one that came."""
        self._executor: Executor | None = None

    def begin(self, executor: Executor) -> None:
        """Take signals from now on, on the event loop that is running."""
        self._executor = executor
        SignalTaker(self._stop, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))

    def exit_code(self, otherwise: int) -> int:
        """Return that of a process ended by the signal, if one came."""
        return otherwise if self.signal is None else by_signal(self.signal)

    def _stop(self, number: signal.Signals) -> None:
        self.signal = self.signal or number
        if self._executor is not None:
            self._executor.stop_all(f"stopped by {number.name} from outside")
