"""Locks, and semaphores, which are locks with several places."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from timewright.storage.granting import Blocked, Demand, grant, known_holder
from timewright.storage.protocol import Lock

_LOCKS = """
    SELECT locks.name, owners.name, holder, token, acquired_at,
        NOT dead AND (expires >= clock_timestamp() OR owners.name = ANY (%(here)s::text[]))
    FROM timewright.locks JOIN timewright.owners ON owners.id = locks.owner_id
"""
_HELD = f"{_LOCKS} WHERE locks.name = %(name)s AND owner_id = %(owner_id)s AND holder = %(holder)s".encode()
_ALL = f"{_LOCKS} ORDER BY locks.name, token".encode()
_NAME = b"INSERT INTO timewright.lock_tokens (name, token) VALUES (%s, 0) ON CONFLICT (name) DO NOTHING"
# All who want the same lock pass here one after the other.
_QUEUE_UP = b"SELECT FROM timewright.lock_tokens WHERE name = %s FOR UPDATE"
_TAKE = b"""
    WITH given AS (
        UPDATE timewright.lock_tokens SET token = token + 1
        WHERE name = %(name)s AND (SELECT count(*) FROM timewright.locks WHERE name = %(name)s) < %(places)s
        RETURNING token
    )
    INSERT INTO timewright.locks (name, token, owner_id, holder, acquired_at)
    SELECT %(name)s, token, %(owner_id)s, %(holder)s, extract(epoch FROM clock_timestamp()) FROM given
"""
_HOLDERS = b"SELECT holder, owner_id FROM timewright.locks WHERE name = %s ORDER BY token"
_RELEASE = b"""
    DELETE FROM timewright.locks
    WHERE name = %s AND holder = %s AND owner_id = (SELECT id FROM timewright.owners WHERE name = %s)
"""
_BREAK = b"DELETE FROM timewright.locks WHERE name = %s AND token = %s"

Connection = AsyncConnection[Any]


async def acquire(connection: Connection, owner_id: int, name: str, holder: str, places: int) -> Lock | None:
    """Take a free place, or return the one that the owner has already for this holder."""
    await connection.execute(_NAME, (name,))
    await connection.execute(_QUEUE_UP, (name,))
    asked = {"name": name, "places": places, "owner_id": owner_id, "holder": holder, "here": []}
    held = await _held(connection, asked)
    if held is None:
        await connection.execute(_TAKE, asked)
        held = await _held(connection, asked)
    return held


async def acquire_all(connection: Connection, owner_id: int, demands: Sequence[Demand]) -> list[Blocked | None]:
    """Take for each holder all that it wants, or none; tell of each what stands in its way."""
    taken = {}
    for name in sorted({name for demand in demands for name in demand.slots}):  # the same order for all: no deadlock
        await connection.execute(_NAME, (name,))
        await connection.execute(_QUEUE_UP, (name,))
        taken[name] = await (await connection.execute(_HOLDERS, (name,))).fetchall()
    # What another owner holds for somebody of that name is not what this one has.
    held = {name: [known_holder(holder, owner == owner_id) for holder, owner in rows] for name, rows in taken.items()}
    answers = grant(demands, held)
    for demand, blocked in zip(demands, answers, strict=True):
        for name in demand.slots if blocked is None else ():
            if demand.holder not in held[name]:
                asked = {"name": name, "places": len(taken[name]) + len(demands), "owner_id": owner_id}
                await connection.execute(_TAKE, {**asked, "holder": demand.holder})
    return answers


async def _held(connection: Connection, asked: Mapping[str, Any]) -> Lock | None:
    row = await (await connection.execute(_HELD, asked)).fetchone()
    return None if row is None else Lock(*row)


async def release(connection: Connection, owner: str, name: str, holder: str) -> bool:
    """Give back what the owner has for this holder; tell whether it had it."""
    return (await connection.execute(_RELEASE, (name, holder, owner))).rowcount > 0


async def held(connection: Connection, here: Collection[str]) -> list[Lock]:
    """Return all locks, by name. Owners that are here are alive, however late they are."""
    return [Lock(*row) async for row in await connection.execute(_ALL, {"here": list(here)})]


async def break_lock(connection: Connection, name: str, token: int) -> bool:
    """Free the place that was taken with this token; tell whether it was taken."""
    return (await connection.execute(_BREAK, (name, token))).rowcount > 0
