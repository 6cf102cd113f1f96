"""What is read: the state of tasks, and their history."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from typing import Any

from timewright.decisions.task_state import OpenPhase, OpenRun
from timewright.resources.vocabulary import Trigger
from timewright.storage import columns
from timewright.storage.columns import RUN, TASK
from timewright.storage.protocol import HistoryQuery
from timewright.storage.records import RunRecord, StoredTask

_TASKS = f"SELECT {columns.names(TASK)} FROM tasks WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608 - constants
# The index is named because SQLite, knowing nothing of how many runs are open, takes that of all runs otherwise.
_OPEN_RUNS = """
    SELECT tasks.key, run_id, scheduled_at, "trigger", phase, owners.dead
    FROM tasks JOIN runs INDEXED BY runs_open ON runs.task_id = tasks.id LEFT JOIN owners ON owners.id = runs.owner_id
    WHERE outcome IS NULL AND tasks.key IN (SELECT value FROM json_each(?))
    ORDER BY scheduled_at, runs.id
"""
_UNATTENDED = """
    SELECT DISTINCT tasks.key
    FROM runs INDEXED BY runs_open JOIN tasks ON tasks.id = runs.task_id LEFT JOIN owners ON owners.id = runs.owner_id
    WHERE outcome IS NULL AND coalesce(owners.dead, 1)
"""
_TO_CANCEL = """
    SELECT tasks.key, run_id FROM runs INDEXED BY runs_to_cancel JOIN tasks ON tasks.id = runs.task_id
    WHERE outcome IS NULL AND cancel_requested AND owner_id = (SELECT id FROM owners WHERE name = ?)
"""
_RUNS = f"SELECT tasks.key, {columns.names(RUN, 'runs.')} FROM tasks JOIN runs ON runs.task_id = tasks.id"  # noqa: S608


def load(connection: sqlite3.Connection, keys: Collection[str]) -> dict[str, StoredTask]:
    """Return the tasks of these keys."""
    wanted = json.dumps(list(keys))
    open_runs: dict[str, list[OpenRun]] = {}
    for key, run_id, scheduled_at, trigger, phase, is_dead in connection.execute(_OPEN_RUNS, (wanted,)):
        is_queued = phase == OpenPhase.QUEUED.value
        run = OpenRun(run_id, scheduled_at, Trigger(trigger), OpenPhase(phase), is_queued or is_dead == 0)
        open_runs.setdefault(key, []).append(run)
    tasks = {row[0]: columns.task_of(row, open_runs.get(row[0], ())) for row in connection.execute(_TASKS, (wanted,))}
    return {key: tasks.get(key) or StoredTask(key) for key in keys}


def unattended(connection: sqlite3.Connection) -> list[str]:
    """Return the keys of tasks with open runs that no living owner has."""
    return [key for (key,) in connection.execute(_UNATTENDED)]


def cancel_requests(connection: sqlite3.Connection, owner: str) -> list[tuple[str, str]]:
    """Return task and id of the owner's runs that are to end."""
    return list(connection.execute(_TO_CANCEL, (owner,)))


def find(
    connection: sqlite3.Connection, task: str, run_id: str | None, idempotency_key: str | None
) -> RunRecord | None:
    """Return the run with that id, or with that key."""
    column, value = ("run_id", run_id) if run_id is not None else ("idempotency_key", idempotency_key)
    if value is None:
        return None
    row = connection.execute(f"{_RUNS} WHERE tasks.key = ? AND {column} = ?", (task, value)).fetchone()
    return None if row is None else columns.run_of(row[0], row[1:])


def history(connection: sqlite3.Connection, query: HistoryQuery) -> list[RunRecord]:
    """Return the latest runs that the query lets pass."""
    where: dict[str, Any] = {}
    index = "runs_latest"
    if query.tasks:
        index = "runs_identity"
        where["tasks.key IN (SELECT value FROM json_each(?))"] = json.dumps(list(query.tasks))
    if query.outcomes:
        where["outcome IN (SELECT value FROM json_each(?))"] = json.dumps(list(query.outcomes))
    if query.since is not None:
        where["scheduled_at >= ?"] = query.since
    if query.until is not None:
        where["scheduled_at < ?"] = query.until
    if query.is_open is not None:
        where["(outcome IS NULL) = ?"] = int(query.is_open)
    conditions = " AND ".join(where) or "TRUE"
    # Only the runs that are returned are read as a whole, since outputs are large.
    rows = connection.execute(
        f"""
        {_RUNS} WHERE runs.id IN (
            SELECT runs.id FROM runs INDEXED BY {index} JOIN tasks ON tasks.id = runs.task_id WHERE {conditions}
            ORDER BY scheduled_at DESC, runs.id DESC LIMIT ?
        ) ORDER BY scheduled_at DESC, runs.id DESC
        """,  # noqa: S608
        (*where.values(), query.limit),
    )
    return [columns.run_of(row[0], row[1:]) for row in rows]
