"""Ends copies of this process that a task makes by `os.fork()` and lets come back out of its function.

Such a copy would go on as a second scheduler: it holds the same descriptors, and would start the same runs again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import weakref
from typing import Any

_in_copy = False
_is_guarding = False
_loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()


def guard(loop: asyncio.AbstractEventLoop) -> None:
    """Notice from now on when this process is copied, and keep copies from running that event loop."""
    global _is_guarding
    if not _is_guarding:
        _is_guarding = True
        os.register_at_fork(after_in_child=_after_fork_in_child)
    if loop not in _loops:
        _loops.add(loop)


def in_copy() -> bool:
    """Tell whether this is a copy of the process that was told to guard."""
    return _in_copy


def leave_if_copy(*, failed: bool = False) -> None:
    """End this process at once if it is a copy. To be called whenever control comes back from the code of a task."""
    if _in_copy:
        _leave(1 if failed else 0)


def _after_fork_in_child() -> None:
    global _in_copy
    _in_copy = True
    # Code that forks in an asyncio task of its own gives control back to the event loop, not to us. There the copy may
    # find nothing to do but to leave. That what is due cannot be taken from a loop is why this looks into asyncio's.
    for loop in list(_loops):
        with contextlib.suppress(Exception):
            ready: Any = getattr(loop, "_ready", None)
            if ready is None:
                loop.stop()
            else:
                ready.clear()
                loop.call_soon(_leave, 0)


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
