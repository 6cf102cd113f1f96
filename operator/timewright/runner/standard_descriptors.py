"""Keeps the process's own stdout and stderr, whatever a function in the process does to their descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os

_STANDARD = (1, 2)
_FIRST_SPARE = 64
"""Spare copies are numbered from here, out of the way of code that closes the first few."""

_spare: dict[int, int] = {}
_is_due_on: asyncio.AbstractEventLoop | None = None
"""The event loop that is about to restore them."""


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


def restore_soon() -> None:
    """Do so when the event loop comes to it: once for all functions that end until then."""
    global _is_due_on
    if _is_due_on is None or _is_due_on.is_closed():
        _is_due_on = asyncio.get_running_loop()
        _is_due_on.call_soon(_restore_now)


def _restore_now() -> None:
    global _is_due_on
    _is_due_on = None
    restore()
