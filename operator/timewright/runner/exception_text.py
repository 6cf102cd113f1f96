"""What an exception that ended a task looks like in log and record, however odd it is.

The standard library alone, since the child process of a Python task uses this as well.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection
from types import TracebackType

LONGEST_MESSAGE = 8000
"""Characters. What a child process reports has to fit into an empty pipe, so that writing it never waits."""

_FIRST_FRAMES = 20
_LAST_FRAMES = 60
_LONGEST_CHAIN = 20


def one_line(error: BaseException) -> str:
    """Return `Type: text`."""
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - a broken __str__ must not hide the error, whatever it raises
        text = "<its text cannot be had: str() failed>"
    return f"{name}: {text}"[:LONGEST_MESSAGE] if text else name


def traceback_text(error: BaseException, own_files: Collection[str]) -> str:
    """Return the whole chain, beginning where the task's own code begins.

    `own_files` are the files of ours whose frames are left out, with all that lies above them. Of a very deep traceback
    or a very long chain the middle is left out.
    """
    try:
        error.__traceback__ = _own_part(error.__traceback__, own_files)
        left_out = _shorten(error)
        lines = traceback.TracebackException(type(error), error, error.__traceback__, compact=True).format()
        return "".join(lines) + left_out
    except BaseException:  # noqa: BLE001 - whatever it is, there is always its name
        return f"{one_line(error)}\n"


def _own_part(trace: TracebackType | None, own_files: Collection[str]) -> TracebackType | None:
    own, current = trace, trace
    while current is not None:
        if current.tb_frame.f_code.co_filename in own_files:
            own = current.tb_next
        current = current.tb_next
    while own is not None and "importlib" in own.tb_frame.f_code.co_filename:
        own = own.tb_next
    return own


def _shorten(error: BaseException) -> str:
    """Cut what nobody would read, since formatting it may take minutes; return a line that tells."""
    notes = []
    seen: set[int] = set()
    current: BaseException | None = error
    last = error
    while current is not None and id(current) not in seen and len(seen) < _LONGEST_CHAIN:
        seen.add(id(current))
        frames = _cut_middle(current.__traceback__)
        if frames:
            notes.append(f"({frames} frames in the middle of the traceback of {type(current).__name__} left out)\n")
        last, current = current, current.__cause__ or current.__context__
    if current is not None and id(current) not in seen:
        last.__cause__ = last.__context__ = None
        notes.append("(what led to the first of these exceptions left out)\n")
    return "".join(notes)


def _cut_middle(trace: TracebackType | None) -> int:
    """Take frames out of the middle of a traceback; return how many."""
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    if len(frames) <= _FIRST_FRAMES + _LAST_FRAMES:
        return 0
    frames[_FIRST_FRAMES - 1].tb_next = frames[-_LAST_FRAMES]
    return len(frames) - _FIRST_FRAMES - _LAST_FRAMES
