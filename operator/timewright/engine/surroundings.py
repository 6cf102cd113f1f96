"""What runs find where they run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from timewright.runner.output import STDERR, STDOUT, Frame

PROCESSES = 32
"""How many runs that need a thread, a process or a connection are active at once; more wait for their turn."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What runs find where they run."""

    refusal: str | None = None
    """Why exclusive tasks must not run here, if they must not."""
    processes: int = PROCESSES
    live: bool = True
    """Whether what they print is shown as they print it."""
    says: bool = True
    """Whether the beginning and the end of each run are shown, too."""
    shown_on: tuple[int, int] = (STDOUT, STDERR)
    """The descriptors on which it is."""
    frame_of: Callable[[str], Frame] | None = None
    """For the name of a task, what makes of a line that it prints what is shown; without it the name comes before."""
    deadline: float | None = None
    """When every run has to be over, in seconds of `time.monotonic()`; None when there is no hurry."""
    grace_seconds: float = 10.0
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))
