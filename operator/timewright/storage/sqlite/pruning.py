"""What is removed from the history."""

from __future__ import annotations

import sqlite3

from timewright.storage.protocol import Retention

_TASK = "task_id = (SELECT id FROM tasks WHERE key = ?) AND outcome IS NOT NULL"
_TOO_MANY = f"""
    DELETE FROM runs WHERE id IN (
        SELECT id FROM runs INDEXED BY runs_identity WHERE {_TASK} AND (outcome = 'Succeeded') = ?
        ORDER BY scheduled_at DESC, id DESC LIMIT -1 OFFSET ?
    )
"""  # noqa: S608 - made of constants
_TOO_OLD = f"DELETE FROM runs WHERE {_TASK} AND coalesce(finished_at, scheduled_at) < ?"  # noqa: S608


def prune(connection: sqlite3.Connection, task: str, retention: Retention, now: float) -> int:
    """Remove what is beyond the retention of one task; return how many."""
    removed = connection.execute(_TOO_MANY, (task, 1, retention.succeeded_runs)).rowcount
    removed += connection.execute(_TOO_MANY, (task, 0, retention.other_runs)).rowcount
    if retention.max_age is not None:
        removed += connection.execute(_TOO_OLD, (task, now - retention.max_age)).rowcount
    return removed
