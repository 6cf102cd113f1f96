"""The protocol on a PostgreSQL database: each method is one transaction, or few."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from psycopg import AsyncConnection

from timewright.storage.granting import Blocked, Demand
from timewright.storage.postgresql import deciding, locks, looking, owners, pruning
from timewright.storage.postgresql.connection import Connection
from timewright.storage.protocol import HistoryQuery, Lock, OwnershipLost, Retention
from timewright.storage.records import Change, Pause, RunRecord, StoredTask

_PRUNED_AT_ONCE = 200
"""So many tasks at most are pruned in one transaction."""
_ONE_MOMENT = "ISOLATION LEVEL REPEATABLE READ READ ONLY"

_Result = TypeVar("_Result")
_Work = Callable[[AsyncConnection[Any]], Awaitable[_Result]]
_OwnersWork = Callable[[AsyncConnection[Any], int, float], Awaitable[_Result]]


class PostgresqlStore:
    """Keeps everything in the schema `timewright` of a database. Leases are on the server's clock.

    One connection is opened, on first use and again after it was lost; while the server is away, methods raise
    StoreError within `timeout` seconds, or a few more where a lost connection does not tell that it is.
    """

    shared = True
    unprotected: str | None = None
    must_claim = False

    def __init__(self, url: str, *, lease_seconds: float = 30.0, timeout: float = 10.0) -> None:
        """Name the server by a `postgresql://` URL, as libpq reads it."""
        self.lease_seconds = lease_seconds
        self._connection = Connection(url, timeout)
        self.name = self._connection.name
        self._registered: set[str] = set()
        self._unanswered: list[tuple[str, Sequence[Change]]] = []
        self._taking_back = asyncio.Lock()

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        await self._connection.open()

    async def close(self) -> None:
        """Disconnect. The store can be opened again."""
        await self._connection.close()
        # The next use may be in another event loop.
        self._taking_back = asyncio.Lock()

    async def renew(self, owner: str) -> None:
        """Register the owner, or extend its life."""

        async def work(connection: AsyncConnection[Any]) -> None:
            # Once only: an owner that was taken for dead and cleared away must not come back as a new one.
            if owner not in self._registered:
                await owners.register(connection, owner, self.lease_seconds)
            await owners.renew(connection, owner, self.lease_seconds)

        await self._connection.transaction(work)
        self._registered.add(owner)

    async def retire(self, owner: str) -> None:
        """End the owner at once."""
        await self._connection.transaction(lambda connection: owners.retire(connection, owner))

    async def load(self, tasks: Collection[str]) -> Mapping[str, StoredTask]:
        """Return what is known of these tasks."""
        await self._bury_the_dead()
        return await self._connection.transaction(lambda connection: looking.load(connection, tasks), _ONE_MOMENT)

    async def commit(self, owner: str, changes: Sequence[Change]) -> Sequence[bool]:
        """Make the changes that are still possible."""
        is_in_doubt = False

        async def work(connection: AsyncConnection[Any], owner_id: int, now: float) -> Sequence[bool]:
            nonlocal is_in_doubt
            made = await deciding.commit(connection, owner_id, changes, now)
            is_in_doubt = True
            return made

        try:
            return await self._as_owner(owner, work)
        except BaseException:
            # It may be made all the same, and nobody will start what it claims.
            if is_in_doubt:
                self._unanswered.append((owner, changes))
            raise

    async def mark_started(self, owner: str, runs: Sequence[RunRecord]) -> None:
        """Note that claimed runs have started."""
        await self._as_owner(owner, lambda connection, owner_id, _: deciding.mark_started(connection, owner_id, runs))

    async def finish(self, owner: str, runs: Sequence[RunRecord]) -> Sequence[bool]:
        """Record outcomes."""
        return await self._as_owner(
            owner, lambda connection, owner_id, now: deciding.finish(connection, owner_id, runs, now)
        )

    async def cancel_requests(self, owner: str) -> Sequence[tuple[str, str]]:
        """Return the owner's runs that are to end."""
        return await self._connection.transaction(lambda connection: looking.cancel_requests(connection, owner))

    async def request_cancel(self, task: str, run_id: str) -> bool:
        """Ask for the end of an open run."""
        return await self._connection.transaction(lambda connection: deciding.request_cancel(connection, task, run_id))

    async def find(
        self, task: str, *, run_id: str | None = None, idempotency_key: str | None = None
    ) -> RunRecord | None:
        """Return one run."""
        return await self._connection.transaction(
            lambda connection: looking.find(connection, task, run_id, idempotency_key)
        )

    async def history(self, query: HistoryQuery) -> Sequence[RunRecord]:
        """List runs."""
        return await self._connection.transaction(lambda connection: looking.history(connection, query))

    async def prune(self, tasks: Mapping[str, Retention]) -> int:
        """Remove finished runs beyond what is to be kept."""
        pending = list(tasks.items())
        removed = 0
        for start in range(0, len(pending), _PRUNED_AT_ONCE):
            some = dict(pending[start : start + _PRUNED_AT_ONCE])

            async def work(connection: AsyncConnection[Any], some: Mapping[str, Retention] = some) -> int:
                return await pruning.prune(connection, some)

            removed += await self._connection.transaction(work)
        return removed

    async def unattended(self) -> Collection[str]:
        """Return the tasks with open runs that nobody runs."""
        await self._bury_the_dead()
        return await self._connection.transaction(looking.unattended)

    async def set_pause(self, task: str, pause: Pause | None) -> None:
        """Pause or resume a task."""
        await self._connection.transaction(lambda connection: deciding.set_pause(connection, task, pause))

    async def acquire(self, owner: str, name: str, holder: str, places: int = 1) -> Lock | None:
        """Take a lock or a place."""
        await self._bury_the_dead()
        return await self._as_owner(
            owner, lambda connection, owner_id, _: locks.acquire(connection, owner_id, name, holder, places)
        )

    async def acquire_all(self, owner: str, demands: Sequence[Demand]) -> Sequence[Blocked | None]:
        """Take the locks of each holder, or none of them."""
        await self._bury_the_dead()
        return await self._as_owner(
            owner, lambda connection, owner_id, _: locks.acquire_all(connection, owner_id, demands)
        )

    async def release(self, owner: str, name: str, holder: str) -> bool:
        """Give back a lock or a place."""
        return await self._connection.transaction(lambda connection: locks.release(connection, owner, name, holder))

    async def locks(self) -> Sequence[Lock]:
        """List what is held."""
        return await self._connection.transaction(lambda connection: locks.held(connection, self._registered))

    async def break_lock(self, name: str, token: int) -> bool:
        """Free a lock or a place, whoever has it."""
        return await self._connection.transaction(lambda connection: locks.break_lock(connection, name, token))

    async def abandon(self, task: str, run_id: str) -> bool:
        """Make an open run unproven."""
        return await self._connection.transaction(lambda connection: deciding.abandon(connection, task, run_id))

    async def _bury_the_dead(self) -> None:
        # Before anybody is told that an owner is dead it is marked as such, so that it cannot come back meanwhile.
        # Those of this process are not dead, however late they are: the machine may have slept.
        await self._take_back()
        await self._connection.transaction(lambda connection: owners.bury(connection, self._registered))

    async def _as_owner(self, owner: str, work: _OwnersWork[_Result]) -> _Result:
        await self._take_back()

        async def transaction(connection: AsyncConnection[Any]) -> _Result:
            owner_id, now = await owners.renew(connection, owner, self.lease_seconds)
            return await work(connection, owner_id, now)

        return await self._connection.transaction(transaction)

    async def _take_back(self) -> None:
        # One at a time: nothing may be claimed anew between the look at the list and what is done about it.
        async with self._taking_back:
            while self._unanswered:
                owner, changes = self._unanswered[0]

                async def work(
                    connection: AsyncConnection[Any], owner: str = owner, changes: Sequence[Change] = changes
                ) -> None:
                    # If the server still works on what was asked, this waits until it has ended: both lock the owner.
                    owner_id, _ = await owners.renew(connection, owner, self.lease_seconds)
                    await deciding.disown(connection, owner_id, changes)

                # An owner that was taken for dead has lost these runs anyway.
                with suppress(OwnershipLost):
                    await self._connection.transaction(work)
                del self._unanswered[0]
