"""Who is alive, by the server's clock. An owner that was once seen dead is marked, and stays dead."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from psycopg import AsyncConnection

from timewright.storage.protocol import OwnershipLost

_CLEAR = b"""
    DELETE FROM timewright.owners WHERE dead
    AND NOT EXISTS (SELECT FROM timewright.runs WHERE outcome IS NULL AND owner_id = owners.id)
"""
_REGISTER = b"""
    INSERT INTO timewright.owners (name, expires) VALUES (%s, clock_timestamp() + %s * interval '1 second')
    ON CONFLICT (name) DO NOTHING
"""
# Until the transaction ends this keeps others from taking the owner for dead.
_RENEW = b"""
    UPDATE timewright.owners SET expires = clock_timestamp() + %s * interval '1 second'
    WHERE name = %s AND NOT dead RETURNING id, extract(epoch FROM clock_timestamp())::double precision
"""
# An owner that others have locked is writing, hence alive.
_BURY = b"""
    WITH gone AS (
        UPDATE timewright.owners SET dead = true WHERE id IN (
            SELECT id FROM timewright.owners
            WHERE NOT dead AND expires < clock_timestamp() AND name <> ALL (%s::text[]) FOR UPDATE SKIP LOCKED
        ) RETURNING id
    )
    DELETE FROM timewright.locks USING gone WHERE owner_id = gone.id
"""
_RETIRE = b"""
    WITH gone AS (UPDATE timewright.owners SET dead = true WHERE name = %s RETURNING id)
    DELETE FROM timewright.locks USING gone WHERE owner_id = gone.id
"""


async def register(connection: AsyncConnection[Any], owner: str, lease_seconds: float) -> None:
    """Make an owner known, unless it is. Clears away dead ones that nothing refers to any more."""
    await connection.execute(_CLEAR)
    await connection.execute(_REGISTER, (owner, lease_seconds))


async def renew(connection: AsyncConnection[Any], owner: str, lease_seconds: float) -> tuple[int, float]:
    """Extend the life of an owner. Return its number and the server's time, in seconds since 1970.

    Raises OwnershipLost if it was taken for dead.
    """
    found = await (await connection.execute(_RENEW, (lease_seconds, owner))).fetchone()
    if found is None:
        raise OwnershipLost(
            f"owner {owner} was taken for dead, or never made itself known, so others may have what it had claimed. "
            "Go on under a new name"
        )
    number, now = found
    return number, now


async def retire(connection: AsyncConnection[Any], owner: str) -> None:
    """Mark an owner as dead, and free its locks."""
    await connection.execute(_RETIRE, (owner,))


async def bury(connection: AsyncConnection[Any], spared: Collection[str]) -> None:
    """Mark those whose lease has passed as dead, for good, and free their locks. Some are spared: they are here."""
    await connection.execute(_BURY, (list(spared),))
