"""Functions that fail a while, for the tests of what is told of that."""

from __future__ import annotations

from tests.unit.daemon.tasks import fail, note, started


async def fail_twice(**_: object) -> None:
    """Fail the first two times."""
    await (fail() if len(started) < 2 else note())
