"""How long one attempt may take, how much it may hold, and how it is ended."""

from __future__ import annotations

from dataclasses import dataclass

GRACE_SECONDS = 10.0
"""How long a task that is to stop has between SIGTERM and SIGKILL."""

STRAY_GRACE_SECONDS = 2.0
"""The same for processes that a task leaves behind when it ends by itself."""


@dataclass(slots=True)
class Limits:
    """The limits of one attempt; times are in seconds."""

    timeout: float | None = None
    grace: float = GRACE_SECONDS
    stray_grace: float = STRAY_GRACE_SECONDS
    memory_bytes: int | None = None
    """How much all processes of the task may hold together."""
    owns_orphans: bool = False
    """Whether this Python process runs this one task and nothing else (see `process_tree.adopt_orphans`)."""
    is_deadline: bool = False
    """Whether the time-out is what is left until all has to be over, rather than the task's own."""
    timeout_name: str = "spec.timeoutSeconds"
    memory_name: str = "the memory limit"

    def within(self) -> str:
        """Say how much time there was."""
        source = "all the time there was before whoever started it stops" if self.is_deadline else self.timeout_name
        return f"within {self.timeout or 0:g} s ({source})"
