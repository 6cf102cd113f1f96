"""Where stores keep things during a test."""

from abc import ABC, abstractmethod
from pathlib import Path

from tests.storage.server import Server
from timewright.storage.location import store_of
from timewright.storage.postgresql import PostgresqlStore
from timewright.storage.protocol import Store
from timewright.storage.sqlite import SqliteStore

LONG = 3600.0


class Place(ABC):
    """One file or one schema, which any number of stores open."""

    def __init__(self) -> None:
        self._opened: list[Store] = []

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    @abstractmethod
    def sees_processes(self) -> bool:
        """Whether the end of a process is seen before its lease has passed."""

    async def open(self, lease_seconds: float = LONG) -> Store:
        store = store_of(self.url, {})
        assert isinstance(store, SqliteStore | PostgresqlStore)
        store.lease_seconds = lease_seconds
        await store.open()
        self._opened.append(store)
        return store

    async def close(self) -> None:
        for store in self._opened:
            await store.close()


class SqlitePlace(Place):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    @property
    def url(self) -> str:
        return f"sqlite://{self.path}"

    @property
    def sees_processes(self) -> bool:
        return True


class PostgresqlPlace(Place):
    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        server.execute("DROP SCHEMA IF EXISTS timewright CASCADE")

    @property
    def url(self) -> str:
        return self.server.url()

    @property
    def sees_processes(self) -> bool:
        return False
