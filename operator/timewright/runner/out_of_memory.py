"""Asks the control group whether the kernel killed a process of this container for lack of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def out_of_memory_kills() -> int | None:
    """Return how many processes the kernel has killed so far; None where no control group tells."""
    for path in _candidates():
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition(" ")
            if key == "oom_kill" and value.isdecimal():
                return int(value)
    return None


def _candidates() -> Iterator[Path]:
    """Yield the files that may tell, the most specific first.

    Version 2 counts in memory.events, version 1 in memory.oom_control. A container sees its own group as the root, or
    finds itself at the path of the host.
    """
    try:
        memberships = MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for membership in memberships:
        _, controllers, group = (*membership.split(":", 2), "", "")[:3]
        relative = group.lstrip("/")
        if controllers == "":
            yield CGROUP_ROOT / relative / "memory.events"
            yield CGROUP_ROOT / "memory.events"
        elif "memory" in controllers.split(","):
            yield CGROUP_ROOT / "memory" / relative / "memory.oom_control"
            yield CGROUP_ROOT / "memory" / "memory.oom_control"
