"""How a process that ran tasks ends."""

from __future__ import annotations

import os
from typing import NoReturn

from timewright.cli import printing


def leave(code: int) -> NoReturn:
    """End this process at once.

    The interpreter's own way out would wait for threads: one may hang in a name look-up or in writing to a reader that
    has stopped reading.
    """
    printing.flush()
    os._exit(code)
