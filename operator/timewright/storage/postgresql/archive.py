"""History of runs that are decided elsewhere, in the tables of a store, so that the same commands show it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from psycopg import AsyncConnection, Error

from timewright.storage.postgresql import recording
from timewright.storage.postgresql.connection import Connection
from timewright.storage.protocol import StoreError, UnfitError
from timewright.storage.records import RunRecord

_DATA_ERRORS = ("22", "23")
"""How the codes of errors begin that lie in what was given, rather than in the state of the server."""


class Archive:
    """Takes ended runs in, each once however often it is given. It claims nothing and decides nothing.

    One connection is opened, on first use and again after it was lost. Methods raise StoreError within `timeout`
    seconds, or a few more, while the server is away.
    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        """Name the server by a `postgresql://` URL, as libpq reads it."""
        self._connection = Connection(url, timeout)
        self.name = self._connection.name

    async def record(self, runs: Sequence[tuple[str, RunRecord]]) -> int:
        """Record ended runs with the keys of their tasks; return how many of them were not there yet.

        Of a run that is there, the record stays as it is, unless it does not tell when the run started and this one
        does. Raises StoreError, and UnfitError where a run among them can never be recorded.
        """

        async def work(connection: AsyncConnection[Any]) -> int:
            return await recording.record(connection, runs)

        return await self._ask(work)

    async def remove(self, key_prefix: str, before: int, most: int) -> int:
        """Remove runs whose nominal time is before an instant, in UTC seconds, the oldest first, `most` at the most.

        Only those of tasks whose keys begin so; return how many it were. Raises StoreError.
        """
        return await self._ask(lambda connection: recording.remove(connection, key_prefix, before, most))

    async def close(self) -> None:
        """Disconnect. The next use connects again."""
        await self._connection.close()

    async def _ask(self, work: Callable[[AsyncConnection[Any]], Awaitable[int]]) -> int:
        try:
            return await self._connection.transaction(work)
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, Error) and (cause.sqlstate or "").startswith(_DATA_ERRORS):
                raise UnfitError(str(error)) from error
            raise
