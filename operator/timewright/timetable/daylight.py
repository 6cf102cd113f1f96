"""What to do with wall-clock times that a time zone skips or repeats."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Gap(StrEnum):
    """A tick whose wall-clock time does not exist, because clocks went forward over it."""

    SKIP = "Skip"
    """The tick does not happen that day."""
    RUN_AFTER = "RunAfter"
    """The tick happens at the first instant after the gap; several ticks inside one gap become one."""


class Overlap(StrEnum):
    """A tick whose wall-clock time happens twice, because clocks went back over it."""

    FIRST = "First"
    LAST = "Last"
    BOTH = "Both"


class DaylightSaving(NamedTuple):
    """A policy for both; the default is the calendar's own reading of what Kubernetes does."""

    gap: Gap = Gap.SKIP
    overlap: Overlap = Overlap.BOTH
