"""`timewright schedule:run`: what is due now, once; in a task's Pod the task that is handed in.

Starting up is most of what a small task costs, so this path imports neither typer nor rich, nor what only the other of
the two needs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from timewright.resources.definition import DEFINITION


def run(arguments: Sequence[str]) -> int:
    """Run what the arguments or else the environment name; return the exit code. For a process that does only this."""
    if arguments or not os.environ.get(DEFINITION):
        from timewright.cli.schedule_run_due import run as run_due

        return run_due(arguments)
    from timewright.cli.pod_run import run_environment

    # Not asyncio.run(): on its way out that waits for threads, and one may hang for good (see `leaving`).
    return asyncio.new_event_loop().run_until_complete(run_environment(os.environ))
