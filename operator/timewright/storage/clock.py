"""The clock by which leases are judged."""

from __future__ import annotations

import time

_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed() -> float:
    """Return seconds of a clock that only goes forward, and goes on while the machine sleeps where it can be had."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)
