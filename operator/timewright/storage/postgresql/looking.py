"""What is read: the state of tasks, and their history."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from psycopg import AsyncConnection

from timewright.decisions.task_state import OpenPhase, OpenRun
from timewright.resources.vocabulary import Trigger
from timewright.storage import columns
from timewright.storage.columns import RUN, TASK
from timewright.storage.protocol import HistoryQuery
from timewright.storage.records import RunRecord, StoredTask

_TASKS = f"""
    SELECT {columns.names(TASK)} FROM timewright.tasks WHERE key IN (SELECT json_array_elements_text(%s::json))
""".encode()  # noqa: S608 - made of constants, as is all below
_OPEN_RUNS = b"""
    SELECT tasks.key, run_id, scheduled_at, "trigger", phase, owners.dead
    FROM timewright.tasks JOIN timewright.runs ON runs.task_id = tasks.id
    LEFT JOIN timewright.owners ON owners.id = runs.owner_id
    WHERE outcome IS NULL AND tasks.key IN (SELECT json_array_elements_text(%s::json))
    ORDER BY scheduled_at, runs.id
"""
_UNATTENDED = b"""
    SELECT DISTINCT tasks.key
    FROM timewright.runs JOIN timewright.tasks ON tasks.id = runs.task_id
    LEFT JOIN timewright.owners ON owners.id = runs.owner_id
    WHERE outcome IS NULL AND coalesce(owners.dead, true)
"""
_TO_CANCEL = b"""
    SELECT tasks.key, run_id FROM timewright.runs JOIN timewright.tasks ON tasks.id = runs.task_id
    WHERE outcome IS NULL AND cancel_requested AND owner_id = (SELECT id FROM timewright.owners WHERE name = %s)
"""
_RUNS = f"""
    SELECT tasks.key, {columns.names(RUN, "runs.")}
    FROM timewright.tasks JOIN timewright.runs ON runs.task_id = tasks.id
"""  # noqa: S608

Connection = AsyncConnection[Any]


async def load(connection: Connection, keys: Collection[str]) -> dict[str, StoredTask]:
    """Return the tasks of these keys."""
    wanted = json.dumps(list(keys))
    open_runs: dict[str, list[OpenRun]] = {}
    async for key, run_id, scheduled_at, trigger, phase, is_dead in await connection.execute(_OPEN_RUNS, (wanted,)):
        is_queued = phase == OpenPhase.QUEUED.value
        run = OpenRun(run_id, scheduled_at, Trigger(trigger), OpenPhase(phase), is_queued or is_dead is False)
        open_runs.setdefault(key, []).append(run)
    tasks = {}
    async for row in await connection.execute(_TASKS, (wanted,)):
        tasks[row[0]] = columns.task_of(row, open_runs.get(row[0], ()))
    return {key: tasks.get(key) or StoredTask(key) for key in keys}


async def unattended(connection: Connection) -> list[str]:
    """Return the keys of tasks with open runs that no living owner has."""
    return [key async for (key,) in await connection.execute(_UNATTENDED)]


async def cancel_requests(connection: Connection, owner: str) -> list[tuple[str, str]]:
    """Return task and id of the owner's runs that are to end."""
    return await (await connection.execute(_TO_CANCEL, (owner,))).fetchall()


async def find(connection: Connection, task: str, run_id: str | None, idempotency_key: str | None) -> RunRecord | None:
    """Return the run with that id, or with that key."""
    column, value = ("run_id", run_id) if run_id is not None else ("idempotency_key", idempotency_key)
    query = f"{_RUNS} WHERE tasks.key = %s AND runs.{column} = %s".encode()
    row = await (await connection.execute(query, (task, value))).fetchone()
    return None if row is None else columns.run_of(row[0], row[1:])


async def history(connection: Connection, query: HistoryQuery) -> list[RunRecord]:
    """Return the latest runs that the query lets pass."""
    where: dict[str, Any] = {}
    if query.tasks:
        where["tasks.key IN (SELECT json_array_elements_text(%s::json))"] = json.dumps(list(query.tasks))
    if query.outcomes:
        where["outcome IN (SELECT json_array_elements_text(%s::json))"] = json.dumps(list(query.outcomes))
    if query.since is not None:
        where["scheduled_at >= %s"] = query.since
    if query.until is not None:
        where["scheduled_at < %s"] = query.until
    if query.is_open is not None:
        where["(outcome IS NULL) = %s"] = query.is_open
    conditions = " AND ".join(where) or "true"
    statement = f"{_RUNS} WHERE {conditions} ORDER BY scheduled_at DESC, runs.id DESC LIMIT %s".encode()
    rows = await connection.execute(statement, (*where.values(), query.limit))
    return [columns.run_of(row[0], row[1:]) async for row in rows]
