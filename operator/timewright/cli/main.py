"""`timewright`, and `kubectl timewright`: finds the command and imports no more than that command needs."""

from __future__ import annotations

import os
import sys

from timewright.cli.leaving import leave
from timewright.cli.schedule_commands import COMMANDS, run


def main() -> None:
    """Run the command line of this process; does not return."""
    command, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if command == "schedule:run":
        _stop_while_starting()
    if command in COMMANDS:
        leave(run(command, arguments))
    from timewright.cli.app import run_app

    run_app()


def _stop_while_starting() -> None:
    """Let SIGTERM end PID 1, which has no default action for it, until the runner listens itself."""
    if os.getpid() == 1:
        import signal

        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))


if __name__ == "__main__":
    main()
