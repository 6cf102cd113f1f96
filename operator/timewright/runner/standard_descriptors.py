"""Keeps the process's own stdout and stderr, whatever a function in the process does to their descriptors."""

from __future__ import annotations

import contextlib
import fcntl
import os

_STANDARD = (1, 2)
_FIRST_SPARE = 64
"""Spare copies are numbered from here, out of the way of code that closes the first few."""

_spare: dict[int, int] = {}


def protect() -> None:
    """Keep a copy of each standard descriptor. Once is enough; for a process in which functions of others run."""
    for descriptor in _STANDARD:
        if descriptor not in _spare:
            with contextlib.suppress(OSError):
                _spare[descriptor] = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_SPARE)


def lasting(descriptor: int) -> int:
    """Return the descriptor that leads to the same place and stays open."""
    return _spare.get(descriptor, descriptor)


def restore() -> None:
    """Open what was closed again, before a file that happens to be opened next gets its number and all its output."""
    for descriptor, spare in _spare.items():
        try:
            os.get_inheritable(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(spare, descriptor)
