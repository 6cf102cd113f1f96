"""Names for those who claim runs."""

from __future__ import annotations

import os
import socket


def new_owner() -> str:
    """Return a name that nobody has had or will have, which tells a person where to look for its bearer."""
    return f"{socket.gethostname()}/{os.getpid()}/{os.urandom(8).hex()}"
