"""Locks, and semaphores, which are locks with several places."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from timewright.storage.granting import Blocked, Demand, grant, known_holder
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
    token = _take(connection, owner_id, name, holder, now)
    return _lock(connection.execute(f"{_LOCKS} WHERE locks.name = ? AND token = ?", (name, token)).fetchone())


def acquire_all(
    connection: sqlite3.Connection, owner_id: int, demands: Sequence[Demand], now: float
) -> list[Blocked | None]:
    """Take for each holder all that it wants, or none; tell of each what stands in its way."""
    names = {name for demand in demands for name in demand.slots}
    taken = {
        name: [
            (holder, owner)
            for holder, owner in connection.execute(
                "SELECT holder, owner_id FROM locks WHERE name = ? ORDER BY token", (name,)
            )
        ]
        for name in names
    }
    # What another owner holds for somebody of that name is not what this one has.
    held = {
        name: [known_holder(holder, owner == owner_id) for holder, owner in holders] for name, holders in taken.items()
    }
    answers = grant(demands, held)
    for demand, blocked in zip(demands, answers, strict=True):
        for name in demand.slots if blocked is None else ():
            if demand.holder not in held[name]:
                _take(connection, owner_id, name, demand.holder, now)
    return answers


def _take(connection: sqlite3.Connection, owner_id: int, name: str, holder: str, now: float) -> int:
    token: int
    (token,) = connection.execute(
        "INSERT INTO lock_tokens (name, token) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET token = token + 1 "
        "RETURNING token",
        (name,),
    ).fetchone()
    connection.execute(
        "INSERT INTO locks (name, token, owner_id, holder, acquired_at) VALUES (?, ?, ?, ?, ?)",
        (name, token, owner_id, holder, int(now)),
    )
    return token


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
