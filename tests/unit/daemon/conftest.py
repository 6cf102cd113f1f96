"""What all tests of the daemon have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.unit.daemon import tasks


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Let each test begin with functions that have not been called."""
    tasks.started.clear()
    tasks.is_released = asyncio.Event()
    yield
    tasks.started.clear()
