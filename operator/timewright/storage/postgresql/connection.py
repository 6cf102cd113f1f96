"""A connection to the server, its transactions, and its way back after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, conninfo

from timewright.storage.postgresql import errors
from timewright.storage.postgresql.schema import MIGRATION_LOCK, MIGRATIONS
from timewright.storage.protocol import StoreError

# A machine that vanishes without a word is noticed soon. What the URL itself says comes first.
_DEFAULTS = {
    "application_name": "timewright",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "2",
}
_ATTEMPTS = 3

_Result = TypeVar("_Result")


class Connection:
    """Connects on first use, and again after the connection was lost. One transaction at a time."""

    def __init__(self, url: str, timeout: float) -> None:
        """Name the server. `timeout` is how many seconds a transaction may take, waiting and connecting included."""
        self.name = errors.shown(url)
        self._url = url
        self._timeout = timeout
        self._open: AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()
        self._secret: str | None = None

    async def open(self) -> None:
        """Connect, and bring the schema up to date. Raises StoreError."""

        async def nothing(_connection: AsyncConnection[Any]) -> None:
            return None

        await self.transaction(nothing)

    async def close(self) -> None:
        """Disconnect."""
        connection, self._open = self._open, None
        # The next use may be in another event loop.
        self._turn = asyncio.Lock()
        if connection is not None:
            await connection.close()

    async def transaction(self, work: Callable[[AsyncConnection[Any]], Awaitable[_Result]], mode: str = "") -> _Result:
        """Do the work in one transaction, with what its BEGIN is to say besides. Raises StoreError.

        The work is done again if the server ended the transaction because of another one.
        """
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                for _ in range(_ATTEMPTS - 1):
                    try:
                        return await self._attempt(work, mode)
                    except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                        continue
                return await self._attempt(work, mode)
        except (TimeoutError, psycopg.errors.QueryCanceled) as error:
            raise errors.timed_out(self.name, self._timeout) from error
        except psycopg.Error as error:
            raise errors.failed(self.name, error, self._secret) from error

    async def _attempt(self, work: Callable[[AsyncConnection[Any]], Awaitable[_Result]], mode: str) -> _Result:
        connection = await self._begin(mode)
        try:
            result = await work(connection)
            await connection.execute(b"COMMIT")
        except BaseException:
            await self._undo(connection)
            raise
        return result

    async def _begin(self, mode: str) -> AsyncConnection[Any]:
        # If this client vanishes, the server must not keep its locks for others to wait for.
        milliseconds = round(self._timeout * 1000)
        begin = (
            f"BEGIN {mode}; SET LOCAL statement_timeout = {milliseconds}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"
        ).encode()
        connection = await self._current()
        try:
            await connection.execute(begin)
        except psycopg.OperationalError:
            # It was lost while it was idle, and nothing has been asked yet.
            await self._undo(connection)
            connection = await self._current()
            await connection.execute(begin)
        except BaseException:
            await self._undo(connection)
            raise
        return connection

    async def _undo(self, connection: AsyncConnection[Any]) -> None:
        try:
            if not connection.closed:
                await connection.execute(b"ROLLBACK")
        except psycopg.Error:
            await connection.close()
        except BaseException:
            # Given up while waiting: nobody knows what state it is in.
            connection.pgconn.finish()
            raise

    async def _current(self) -> AsyncConnection[Any]:
        if self._open is None or self._open.closed:
            self._open = None
            connection = await self._connect()
            try:
                await self._migrate(connection)
            except BaseException:
                await connection.close()
                raise
            self._open = connection
        return self._open

    async def _connect(self) -> AsyncConnection[Any]:
        try:
            given = conninfo.conninfo_to_dict(self._url)
        except psycopg.ProgrammingError:
            # Its text may show a part of the password.
            raise StoreError(
                f"the store {self.name} has a URL that cannot be read: expected "
                "postgresql://user:password@host:port/database, with special characters in percent-encoding"
            ) from None
        password = given.get("password")
        self._secret = None if password is None else str(password)
        defaults = {
            **_DEFAULTS,
            "connect_timeout": str(max(2, round(self._timeout))),
            "tcp_user_timeout": str(round(self._timeout * 1000)),
        }
        missing = {name: value for name, value in defaults.items() if name not in given}
        try:
            # Poolers hand a session from client to client, so nothing is prepared in one.
            return await AsyncConnection.connect(
                conninfo.make_conninfo(self._url, **missing), autocommit=True, prepare_threshold=None
            )
        except psycopg.Error as error:
            raise errors.unreachable(self.name, error, self._secret) from error

    async def _migrate(self, connection: AsyncConnection[Any]) -> None:
        if await self._version(connection) == len(MIGRATIONS):
            return
        async with connection.transaction():
            await connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
            # Another process may have been faster.
            version = await self._version(connection)
            if version == 0:
                await _make_schema(connection)
            for step in MIGRATIONS[version:]:
                await connection.execute(step.encode())
            await connection.execute(b"UPDATE timewright.schema_version SET version = %s", (len(MIGRATIONS),))

    async def _version(self, connection: AsyncConnection[Any]) -> int:
        # Not `to_regclass`, which may answer from a cache that knows nothing of what another process has just made.
        (tables,) = await _row(
            connection,
            b"SELECT count(*) FROM pg_catalog.pg_tables "
            b"WHERE schemaname = 'timewright' AND tablename = 'schema_version'",
        )
        if tables == 0:
            return 0
        (version,) = await _row(connection, b"SELECT version FROM timewright.schema_version")
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the store {self.name} has version {version}, and this Timewright knows versions up to "
                f"{len(MIGRATIONS)}. Upgrade Timewright, or set TIMEWRIGHT_STORE to another database"
            )
        return int(version)


async def _make_schema(connection: AsyncConnection[Any]) -> None:
    # Even with IF NOT EXISTS it would take the right to make schemas.
    (schemas,) = await _row(connection, b"SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'timewright'")
    if schemas == 0:
        await connection.execute(b"CREATE SCHEMA timewright")
    await connection.execute(b"CREATE TABLE timewright.schema_version (version integer NOT NULL)")
    await connection.execute(b"INSERT INTO timewright.schema_version (version) VALUES (0)")


async def _row(connection: AsyncConnection[Any], query: bytes) -> tuple[Any, ...]:
    row = await (await connection.execute(query)).fetchone()
    if row is None:
        raise StoreError(f"the server gave no answer to {query.decode()!r}")
    found: tuple[Any, ...] = row
    return found
