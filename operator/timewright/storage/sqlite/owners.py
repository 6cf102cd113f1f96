"""Who is alive. An owner that was once seen dead is marked, and stays dead whatever it does afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from timewright.storage import machine
from timewright.storage.protocol import OwnershipLost


def register(connection: sqlite3.Connection, owner: str, lease_seconds: float) -> None:
    """Make an owner known, unless it is. Clears away dead ones that nothing refers to any more."""
    connection.execute(
        "DELETE FROM owners WHERE dead AND NOT EXISTS "
        "(SELECT 1 FROM runs INDEXED BY runs_open WHERE outcome IS NULL AND owner_id = owners.id)"
    )
    process = machine.this_process()
    connection.execute(
        "INSERT INTO owners (name, expires, boot, pid_namespace, pid, started) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (name) DO NOTHING",
        (
            owner,
            machine.now() + lease_seconds,
            machine.boot(),
            process and process.pid_namespace,
            process and process.pid,
            process and process.started,
        ),
    )


def renew(connection: sqlite3.Connection, owner: str, lease_seconds: float) -> int:
    """Extend the life of an owner and return its number. Raises OwnershipLost if it was taken for dead."""
    found = connection.execute(
        "UPDATE owners SET expires = ? WHERE name = ? AND NOT dead RETURNING id",
        (machine.now() + lease_seconds, owner),
    ).fetchone()
    if found is None:
        raise OwnershipLost(
            f"owner {owner} was taken for dead, or never made itself known, so others may have what it had claimed. "
            "Go on under a new name"
        )
    number: int = found[0]
    return number


def retire(connection: sqlite3.Connection, owner: str) -> None:
    """Mark an owner as dead."""
    found = connection.execute("SELECT id FROM owners WHERE name = ?", (owner,)).fetchone()
    if found is not None:
        bury(connection, [found[0]])


def died(connection: sqlite3.Connection, spared: Collection[str]) -> list[int]:
    """Return the numbers of owners that are dead and not marked yet. Some are spared: they are here."""
    boot, now, here = machine.boot(), machine.now(), machine.this_process()
    dead = []
    for number, name, of_boot, expires, *process in connection.execute(
        "SELECT id, name, boot, expires, pid_namespace, pid, started FROM owners WHERE NOT dead"
    ):
        if name not in spared and (
            of_boot != boot
            or expires < now
            or (here is not None and process[0] is not None and machine.has_ended(machine.Process(*process), here))
        ):
            dead.append(number)
    return dead


def bury(connection: sqlite3.Connection, numbers: list[int]) -> None:
    """Mark owners as dead, for good, and free their locks."""
    for number in numbers:
        connection.execute("UPDATE owners SET dead = 1 WHERE id = ?", (number,))
        connection.execute("DELETE FROM locks WHERE owner_id = ?", (number,))
