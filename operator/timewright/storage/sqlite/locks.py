"""Locks, and semaphores, which are locks with several places."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from timewright.storage.protocol import Lock

_LOCKS = """
    SELECT locks.name, owners.name, holder, token, acquired_at, owner_id
    FROM locks JOIN owners ON owners.id = locks.owner_id
"""


def acquire(
    connection: sqlite3.Connection, owner_id: int, name: str, holder: str, places: int, now: float
) -> Lock | None:
    """Take a free place, or return the one that the owner has already for this holder."""
    held = connection.execute(
        f"{_LOCKS} WHERE locks.name = ? AND owner_id = ? AND holder = ?", (name, owner_id, holder)
    ).fetchone()
    if held is not None:
        return _lock(held)
    (taken,) = connection.execute("SELECT count(*) FROM locks WHERE name = ?", (name,)).fetchone()
    if taken >= places:
        return None
    (token,) = connection.execute(
        "INSERT INTO lock_tokens (name, token) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET token = token + 1 "
        "RETURNING token",
        (name,),
    ).fetchone()
    connection.execute(
        "INSERT INTO locks (name, token, owner_id, holder, acquired_at) VALUES (?, ?, ?, ?, ?)",
        (name, token, owner_id, holder, int(now)),
    )
    return _lock(connection.execute(f"{_LOCKS} WHERE locks.name = ? AND token = ?", (name, token)).fetchone())


def release(connection: sqlite3.Connection, owner: str, name: str, holder: str) -> bool:
    """Give back what the owner has for this holder; tell whether it had it."""
    return (
        connection.execute(
            "DELETE FROM locks WHERE name = ? AND holder = ? AND owner_id = (SELECT id FROM owners WHERE name = ?)",
            (name, holder, owner),
        ).rowcount
        > 0
    )


def held(connection: sqlite3.Connection, dead: Collection[int] = ()) -> list[Lock]:
    """Return all locks, by name. `dead` are the owners that died and are not marked yet."""
    return [_lock(row, dead) for row in connection.execute(f"{_LOCKS} ORDER BY locks.name, token")]


def break_lock(connection: sqlite3.Connection, name: str, token: int) -> bool:
    """Free the place that was taken with this token; tell whether it was taken."""
    return connection.execute("DELETE FROM locks WHERE name = ? AND token = ?", (name, token)).rowcount > 0


def _lock(row: tuple[str, str, str, int, int, int], dead: Collection[int] = ()) -> Lock:
    name, owner, holder, token, acquired_at, owner_id = row
    return Lock(name, owner, holder, token, acquired_at, owner_id not in dead)
