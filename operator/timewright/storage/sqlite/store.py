"""The protocol on an SQLite file: each method is one piece of work for a thread of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from timewright.storage.granting import Blocked, Demand
from timewright.storage.protocol import HistoryQuery, Lock, Retention
from timewright.storage.records import Change, Pause, RunRecord, StoredTask
from timewright.storage.sqlite import deciding, locks, looking, owners, pruning
from timewright.storage.sqlite.connection import MEMORY, Connection

_PRUNED_AT_ONCE = 200
"""So many tasks at most are pruned before other processes may write again."""

_Result = TypeVar("_Result")


class SqliteStore:
    """Keeps everything in one file on a local disk, made with mode 0600 on first use; `:memory:` keeps it in memory.

    Claims, pauses and fencing tokens outlive a power cut: a tick whose claim was forgotten would run twice. Outcomes
    of the last seconds may not, and such runs are told as Lost: to wait for the disk at each would halve the speed.
    """

    shared = False
    must_claim = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lease_seconds: float = 30.0,
        busy_timeout: float = 10.0,
        unprotected: str | None = None,
    ) -> None:
        """Name the file. `busy_timeout` is for how many seconds to wait while another process writes."""
        given = os.fspath(path)
        self.path = given if given == MEMORY else str(Path(given).absolute())
        self.name = "memory:" if given == MEMORY else f"sqlite:{self.path}"
        self.unprotected = unprotected
        self.lease_seconds = lease_seconds
        self._connection = Connection(self.path, busy_timeout)
        self._thread: ThreadPoolExecutor | None = None
        self._registered: set[str] = set()
        self._unanswered: list[tuple[str, Sequence[Change]]] = []

    async def open(self) -> None:
        """Make the file if there is none, and bring its schema up to date."""
        await self._in_thread(self._connection.open)

    async def close(self) -> None:
        """Close the file. The store can be opened again."""
        await self._in_thread(self._connection.close)
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False)

    async def renew(self, owner: str) -> None:
        """Register the owner, or extend its life."""

        def work() -> None:
            with self._connection.writing(durable=False) as connection:
                # Once only: an owner that was taken for dead and cleared away must not come back as a new one.
                if owner not in self._registered:
                    owners.register(connection, owner, self.lease_seconds)
                owners.renew(connection, owner, self.lease_seconds)
            self._registered.add(owner)

        await self._in_thread(work)

    async def retire(self, owner: str) -> None:
        """End the owner at once."""

        def work() -> None:
            with self._connection.writing(durable=False) as connection:
                owners.retire(connection, owner)

        await self._in_thread(work)

    async def load(self, tasks: Collection[str]) -> Mapping[str, StoredTask]:
        """Return what is known of these tasks."""

        def work() -> Mapping[str, StoredTask]:
            self._bury_the_dead()
            with self._connection.reading() as connection:
                return looking.load(connection, tasks)

        return await self._in_thread(work)

    async def commit(self, owner: str, changes: Sequence[Change]) -> Sequence[bool]:
        """Make the changes that are still possible."""
        is_in_doubt = False

        def work(connection: sqlite3.Connection, owner_id: int) -> Sequence[bool]:
            nonlocal is_in_doubt
            made = deciding.commit(connection, owner_id, changes, time.time())
            is_in_doubt = True
            return made

        try:
            return await self._as_owner(owner, work, True)
        except BaseException as error:
            # It may be made all the same, and nobody will start what it claims. The thread cannot be cancelled.
            if is_in_doubt or isinstance(error, asyncio.CancelledError):
                self._unanswered.append((owner, changes))
            raise

    async def mark_started(self, owner: str, runs: Sequence[RunRecord]) -> None:
        """Note that claimed runs have started."""
        await self._as_owner(owner, lambda connection, owner_id: deciding.mark_started(connection, owner_id, runs))

    async def finish(self, owner: str, runs: Sequence[RunRecord]) -> Sequence[bool]:
        """Record outcomes."""
        return await self._as_owner(
            owner, lambda connection, owner_id: deciding.finish(connection, owner_id, runs, time.time())
        )

    async def cancel_requests(self, owner: str) -> Sequence[tuple[str, str]]:
        """Return the owner's runs that are to end."""
        return await self._read(lambda connection: looking.cancel_requests(connection, owner))

    async def request_cancel(self, task: str, run_id: str) -> bool:
        """Ask for the end of an open run."""
        return await self._write(lambda connection: deciding.request_cancel(connection, task, run_id))

    async def find(
        self, task: str, *, run_id: str | None = None, idempotency_key: str | None = None
    ) -> RunRecord | None:
        """Return one run."""
        return await self._read(lambda connection: looking.find(connection, task, run_id, idempotency_key))

    async def history(self, query: HistoryQuery) -> Sequence[RunRecord]:
        """List runs."""
        return await self._read(lambda connection: looking.history(connection, query))

    async def prune(self, tasks: Mapping[str, Retention]) -> int:
        """Remove finished runs beyond what is to be kept."""
        pending = list(tasks.items())
        removed = 0
        for start in range(0, len(pending), _PRUNED_AT_ONCE):
            some = pending[start : start + _PRUNED_AT_ONCE]

            def work(connection: sqlite3.Connection, some: list[tuple[str, Retention]] = some) -> int:
                return sum(pruning.prune(connection, task, retention, time.time()) for task, retention in some)

            removed += await self._write(work)
        return removed

    async def unattended(self) -> Collection[str]:
        """Return the tasks with open runs that nobody runs."""

        def work() -> Collection[str]:
            self._bury_the_dead()
            with self._connection.reading() as connection:
                return looking.unattended(connection)

        return await self._in_thread(work)

    async def set_pause(self, task: str, pause: Pause | None) -> None:
        """Pause or resume a task."""
        await self._write(lambda connection: deciding.set_pause(connection, task, pause), durable=True)

    async def acquire(self, owner: str, name: str, holder: str, places: int = 1) -> Lock | None:
        """Take a lock or a place."""
        await self._in_thread(self._bury_the_dead)
        return await self._as_owner(
            owner,
            lambda connection, owner_id: locks.acquire(connection, owner_id, name, holder, places, time.time()),
            True,
        )

    async def acquire_all(self, owner: str, demands: Sequence[Demand]) -> Sequence[Blocked | None]:
        """Take the locks of each holder, or none of them."""
        await self._in_thread(self._bury_the_dead)
        return await self._as_owner(
            owner,
            lambda connection, owner_id: locks.acquire_all(connection, owner_id, demands, time.time()),
            True,
        )

    async def release(self, owner: str, name: str, holder: str) -> bool:
        """Give back a lock or a place."""
        return await self._write(lambda connection: locks.release(connection, owner, name, holder))

    async def locks(self) -> Sequence[Lock]:
        """List what is held."""

        def work(connection: sqlite3.Connection) -> Sequence[Lock]:
            return locks.held(connection, set(owners.died(connection, self._registered)))

        return await self._read(work)

    async def break_lock(self, name: str, token: int) -> bool:
        """Free a lock or a place, whoever has it."""
        return await self._write(lambda connection: locks.break_lock(connection, name, token))

    async def abandon(self, task: str, run_id: str) -> bool:
        """Make an open run unproven."""
        return await self._write(lambda connection: deciding.abandon(connection, task, run_id), durable=True)

    def _bury_the_dead(self) -> None:
        # Before anybody is told that an owner is dead it is marked as such, so that it cannot come back meanwhile.
        # Those of this process are not dead, however late they are: the machine may have slept.
        self._take_back()
        with self._connection.reading() as connection:
            if not owners.died(connection, self._registered):
                return
        with self._connection.writing(durable=False) as connection:
            owners.bury(connection, owners.died(connection, self._registered))

    def _take_back(self) -> None:
        while self._unanswered:
            owner, changes = self._unanswered[0]
            with self._connection.writing(durable=True) as connection:
                deciding.disown(connection, owner, changes)
            del self._unanswered[0]

    async def _as_owner(
        self, owner: str, work: Callable[[sqlite3.Connection, int], _Result], durable: bool = False
    ) -> _Result:
        def transaction() -> _Result:
            self._take_back()
            with self._connection.writing(durable=durable) as connection:
                return work(connection, owners.renew(connection, owner, self.lease_seconds))

        return await self._in_thread(transaction)

    async def _read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        def transaction() -> _Result:
            with self._connection.reading() as connection:
                return work(connection)

        return await self._in_thread(transaction)

    async def _write(self, work: Callable[[sqlite3.Connection], _Result], *, durable: bool = False) -> _Result:
        def transaction() -> _Result:
            with self._connection.writing(durable=durable) as connection:
                return work(connection)

        return await self._in_thread(transaction)

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "timewright-store")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
