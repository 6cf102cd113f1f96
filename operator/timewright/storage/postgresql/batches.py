"""Batches of tasks and runs, as they travel to the server, are locked there and counted.

Whatever changes several rows locks their tasks first, in the order of their keys, so that no two wait for each other.
Batches travel as JSON documents, which the server takes apart faster than a client puts arrays together; in parts, so
that the event loop has something else to do in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from psycopg import AsyncConnection

from timewright.storage import columns
from timewright.storage.columns import COUNTED, COUNTERS, RUN
from timewright.storage.records import RunRecord

Connection = AsyncConnection[Any]

_PART = 1000
_TYPES = {
    "scheduled_at": "bigint",
    "started_at": "double precision",
    "finished_at": "double precision",
    "exit_code": "bigint",
    "peak_memory_bytes": "bigint",
    "cancel_requested": "boolean",
    "last_success_at": "bigint",
    "last_finished_at": "bigint",
    **dict.fromkeys(COUNTERS.values(), "bigint"),
}


def typed_columns(names: Iterable[str]) -> str:
    """Return columns with their types, as `json_to_recordset` wants them."""
    return ", ".join(f'"{name}" {_TYPES.get(name, "text")}' for name in names)


def given_columns(names: Iterable[str]) -> str:
    """Return columns as those of a batch."""
    return columns.names(names, "given.")


_INSERT_TASKS = b"""
    INSERT INTO timewright.tasks (key)
    SELECT wanted FROM json_array_elements_text(%s::json) AS wanted ORDER BY wanted
    ON CONFLICT (key) DO NOTHING
"""
_LOCK_TASKS = b"""
    SELECT key, id, version FROM timewright.tasks
    WHERE key IN (SELECT json_array_elements_text(%s::json)) ORDER BY key FOR UPDATE
"""
_COUNT = f"""
    UPDATE timewright.tasks SET
        {", ".join(f"{column} = tasks.{column} + given.{column}" for column in COUNTERS.values())},
        last_success_at = greatest(tasks.last_success_at, given.last_success_at),
        last_outcome = CASE WHEN given.last_finished_at >= coalesce(tasks.last_finished_at, given.last_finished_at)
            THEN given.last_outcome ELSE tasks.last_outcome END,
        last_finished_at = greatest(tasks.last_finished_at, given.last_finished_at)
    FROM json_to_recordset(%s::json) AS given (key text, {typed_columns(COUNTED)})
    WHERE tasks.key = given.key
""".encode()  # noqa: S608 - made of constants


async def insert_tasks(connection: Connection, keys: Iterable[str]) -> None:
    """Add those tasks that are not there."""
    await connection.execute(_INSERT_TASKS, (json.dumps(list(keys)),))


async def execute(
    connection: Connection, statement: bytes, given: Iterable[dict[str, Any]], *rest: Any
) -> list[tuple[Any, ...]]:
    """Execute a statement for each part of a batch; return the rows of all."""
    rows: list[tuple[Any, ...]] = []
    pending = iter(given)
    while part := list(islice(pending, _PART)):
        cursor = await connection.execute(statement, (json.dumps(part), *rest))
        if cursor.description is not None:
            rows += await cursor.fetchall()
    return rows


async def lock_tasks(connection: Connection, keys: Iterable[str]) -> list[tuple[str, int, int]]:
    """Lock tasks until the transaction ends; return key, number and version of those that are there."""
    return await (await connection.execute(_LOCK_TASKS, (json.dumps(list(keys)),))).fetchall()


def run_values(run: RunRecord, task_id: int, owner_id: int | None) -> dict[str, Any]:
    """Return a run as a member of a batch."""
    values = dict(zip(RUN, columns.run_values(run), strict=True))
    values["task_id"] = task_id
    values["owner_id"] = owner_id
    return values


async def count(connection: Connection, counted: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    """Add to the counters of tasks, given by their keys what each of its runs changes."""
    # One row for each task: of several the server would take one.
    by_task: dict[str, list[tuple[Any, ...]]] = {}
    for task, change in counted:
        by_task.setdefault(task, []).append(change)
    names = ("key", *COUNTED)
    given = (dict(zip(names, (task, *columns.counted_together(each)), strict=True)) for task, each in by_task.items())
    await execute(connection, _COUNT, given)
