"""Locks that tasks share: what they are called, and how many may hold one at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from timewright.resources.model import Model

LOCK_NAME_LIMIT = 63
LOCK_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
MOST_LOCKS = 8
"""How many locks a task may name."""

LockName = Annotated[str, Field(min_length=1, max_length=LOCK_NAME_LIMIT, pattern=LOCK_NAME_PATTERN)]
"""The name of a lock: letters, digits and hyphens, as DNS labels have them."""


class LockSpec(Model):
    """A lock that several may hold at once."""

    name: LockName = Field(description="Name of the lock, as tasks refer to it.")
    slots: int = Field(ge=1, le=10000, description="How many runs may hold it at once.")
