"""Prints to the process's own stdout and stderr, in order with what tasks print, and whatever these did to them."""

from __future__ import annotations

import os
import sys

STDOUT = 1
STDERR = 2


def write(text: str, descriptor: int = STDOUT) -> None:
    """Print a text as it is. Where tasks have run, this returns at once; `flush` waits."""
    if "timewright.runner.live_output" in sys.modules:
        from timewright.runner.live_output import LIVE, Sink
        from timewright.runner.standard_descriptors import lasting

        LIVE.put(Sink(lasting(descriptor)), text.encode(errors="replace"))
    else:
        stream = sys.stdout if descriptor == STDOUT else sys.stderr
        stream.write(text)
        stream.flush()


def tell(text: str) -> None:
    """Tell a person something beside what was asked for."""
    write("".join(f"timewright: {line}\n" for line in text.splitlines()), STDERR)


def flush() -> None:
    """Wait until what was printed is written, or a few seconds if nobody reads it."""
    live_output = sys.modules.get("timewright.runner.live_output")
    if live_output is not None:
        live_output.LIVE.flush()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # nobody reads it, or a task closed it


def stop_printing() -> None:
    """Print nothing more to stdout: its reader, such as `head`, has seen enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
