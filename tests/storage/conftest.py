"""Every test that asks for a `place` runs on both databases, and on PostgreSQL only where that is installed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.storage.places import Place, PostgresqlPlace, SqlitePlace
from tests.storage.server import Server, UnavailableError, running
from timewright.storage.protocol import Store


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server of this session's own."""
    try:
        with running() as server:
            yield server
    except UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Where a test keeps things: empty, and opened as often as it likes."""
    empty: Place
    if request.param == "sqlite":
        empty = SqlitePlace(tmp_path / "state" / "state.db")
    else:
        empty = PostgresqlPlace(request.getfixturevalue("postgresql"))
    yield empty
    await empty.close()


@pytest.fixture
async def store(place: Place) -> Store:
    """A store whose leases do not pass during a test."""
    return await place.open()
