"""A connection to the file, its transactions, and its way back after a failure. For use by one thread."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from timewright.storage.protocol import StoreError
from timewright.storage.sqlite.errors import BUSY, primary_code, store_error
from timewright.storage.sqlite.schema import APPLICATION_ID, MIGRATIONS

MEMORY = ":memory:"

_Result = TypeVar("_Result")
# Ten thousand tasks and their latest runs. Memory is taken as pages are read, and SQLite's default is a tenth of it.
_CACHE_KIB = 20_000
# Sixteen MiB, so that pages which change with each batch are not copied into the file each time.
_JOURNAL_PAGES = 4_000
_creating = threading.Lock()


class Connection:
    """Opens the file on first use, and again after whatever made the connection unusable."""

    def __init__(self, path: str, busy_timeout: float) -> None:
        """Name the file, and for how many seconds to wait for other processes that write."""
        self.path = path
        self._busy_timeout = busy_timeout
        self._open: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._synchronous = ""

    def open(self) -> None:
        """Open the file, which is created or brought up to date if need be. Raises StoreError."""
        with self._translated():
            self._current()

    def close(self) -> None:
        """Close the file, if it is open."""
        connection, self._open, self._synchronous = self._open, None, ""
        if connection is not None:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read, all of it as it is at one moment."""
        with self._within("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """Change, all of it or nothing, while no other process does.

        A durable change outlives a power cut. Another one may not, if the power goes within seconds; nothing outlives
        that came after it then.
        """
        with self._within("BEGIN IMMEDIATE", "FULL" if durable else "NORMAL") as connection:
            yield connection

    @contextmanager
    def _within(self, begin: str, synchronous: str = "") -> Iterator[sqlite3.Connection]:
        with self._translated():
            connection = self._current()
            if synchronous and synchronous != self._synchronous:
                connection.execute(f"PRAGMA synchronous = {synchronous}")
                self._synchronous = synchronous
            self._patiently(lambda: connection.execute(begin))
            with _ending(connection):
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if not isinstance(error, sqlite3.Error) or primary_code(error) not in {*BUSY, sqlite3.SQLITE_FULL}:
                self._give_up()
            raise store_error(self.path, error, self._busy_timeout) from error

    def _give_up(self) -> None:
        try:
            self.close()
        except sqlite3.Error:
            # What is wrong with the file is being told already.
            self._open = None

    def _current(self) -> sqlite3.Connection:
        if self._open is not None and self._is_replaced():
            # Who opens the file now sees another one, and so must we.
            self._give_up()
        if self._open is None:
            if self.path != MEMORY:
                _create(self.path)
            connection = sqlite3.connect(
                self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._patiently(lambda: self._prepare(connection))
            except BaseException:
                connection.close()
                raise
            self._open = connection
            self._file = None if self.path == MEMORY else _identity(self.path)
        return self._open

    def _is_replaced(self) -> bool:
        """Tell whether somebody removed the file that is open, or put another one in its place."""
        return self._file is not None and _identity(self.path) != self._file

    def _prepare(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection, "BEGIN"):
            version = self._version(connection)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_JOURNAL_PAGES}")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode not in {"wal", "memory"}:
            raise StoreError(
                f"the store sqlite:{self.path} is on a file system whose files cannot be shared as memory. "
                "Move it to a local disk, or set TIMEWRIGHT_STORE to a PostgreSQL URL"
            )
        if version == len(MIGRATIONS):
            return
        with _transaction(connection, "BEGIN IMMEDIATE"):
            # Another process may have been faster.
            for step in MIGRATIONS[self._version(connection) :]:
                for statement in step:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _version(self, connection: sqlite3.Connection) -> int:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (things,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if things and application_id != APPLICATION_ID:
            raise StoreError(
                f"sqlite:{self.path} is a database of some other program. Set TIMEWRIGHT_STORE to another file"
            )
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the store sqlite:{self.path} has version {version}, and this Timewright knows versions up to "
                f"{len(MIGRATIONS)}. Upgrade Timewright, or set TIMEWRIGHT_STORE to another file"
            )
        return int(version)

    def _patiently(self, attempt: Callable[[], _Result]) -> _Result:
        # SQLite waits by itself in most cases, but not where it suspects a deadlock, such as when two processes make
        # the file at once.
        give_up_at = time.monotonic() + self._busy_timeout
        while True:
            try:
                return attempt()
            except sqlite3.OperationalError as error:
                if primary_code(error) not in BUSY or time.monotonic() >= give_up_at:
                    raise
            # So that two do not meet again and again.
            time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - no secret


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    with _ending(connection):
        yield


@contextmanager
def _ending(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _create(path: str) -> None:
    # Closing any descriptor of a file lets go of all locks that the process has on it, those of SQLite included. So a
    # file that exists is not touched, and one that does not is made while no other thread can open it.
    with _creating:
        if Path(path).exists():
            return
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # SQLite gives the files beside it the permissions of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            # Another process was faster.
            return


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - in each transaction, and this is the quickest
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
