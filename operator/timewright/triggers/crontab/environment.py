"""What a command finds in its environment when cron starts it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ASSIGNMENT = re.compile(r"""[ \t]*(["']?)([A-Za-z_]\w*)\1[ \t]*=[ \t]*(.*)""", re.ASCII)


def cron_environment(home: str, user: str, above: str) -> dict[str, str]:
    """Return the environment of a line, given the text of the crontab above it.

    Some systems add to it from files of their own; whoever relies on that does so knowingly.
    """
    bare: Mapping[str, str] = {"HOME": home, "LOGNAME": user, "USER": user, "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    return {**bare, **assignments(above)}


def assignments(text: str) -> dict[str, str]:
    """Return what the environment lines of a crontab say. The last one of a name counts."""
    found = {}
    for line in text.split("\n"):
        if assignment := _ASSIGNMENT.fullmatch(line.rstrip("\r \t")):
            value = assignment[3]
            quoted = len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]
            found[assignment[2]] = value[1:-1] if quoted else value
    return found
