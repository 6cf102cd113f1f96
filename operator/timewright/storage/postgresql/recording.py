"""What an archive writes: runs that have ended already, and the counters of their tasks."""

from __future__ import annotations

import time
from collections.abc import Sequence

from timewright.storage import columns
from timewright.storage.columns import RESULT, RUN
from timewright.storage.postgresql.batches import (
    Connection,
    count,
    execute,
    given_columns,
    insert_tasks,
    lock_tasks,
    run_values,
    typed_columns,
)
from timewright.storage.records import RunRecord

# `xmax` is 0 in a row that this statement has added, and not in one that it has changed.
_RECORD = f"""
    INSERT INTO timewright.runs (task_id, owner_id, {columns.names(RUN)})
    SELECT task_id, owner_id, {given_columns(RUN)}
    FROM json_to_recordset(%s::json) AS given (task_id bigint, owner_id bigint, {typed_columns(RUN)})
    ON CONFLICT (task_id, run_id) DO UPDATE
    SET phase = NULL, ({columns.names(RESULT)}) = ROW ({columns.names(RESULT, "excluded.")})
    WHERE runs.started_at IS NULL AND excluded.started_at IS NOT NULL
    RETURNING task_id, run_id, xmax = 0
""".encode()  # noqa: S608 - made of constants
_REMOVE = b"""
    DELETE FROM timewright.runs WHERE id IN (
        SELECT runs.id FROM timewright.runs JOIN timewright.tasks ON tasks.id = runs.task_id
        WHERE scheduled_at < %s AND outcome IS NOT NULL AND left(tasks.key, length(%s)) = %s
        ORDER BY scheduled_at LIMIT %s
    )
"""


async def record(connection: Connection, runs: Sequence[tuple[str, RunRecord]]) -> int:
    """Add ended runs, given with the keys of their tasks, and count them; return how many were added."""
    keys = {key for key, _ in runs}
    ids = {key: number for key, number, _ in await lock_tasks(connection, keys)}
    if len(ids) < len(keys):
        await insert_tasks(connection, keys - ids.keys())
        ids = {key: number for key, number, _ in await lock_tasks(connection, keys)}
    ended = {(ids[key], run.run_id): (key, run) for key, run in runs}
    values = (run_values(run, task_id, None) for (task_id, _), (_, run) in ended.items())
    rows = await execute(connection, _RECORD, values)
    added = [ended[task_id, run_id] for task_id, run_id, is_new in rows if is_new]
    now = time.time()
    await count(connection, [(key, columns.counted(run, now)) for key, run in added])
    return len(added)


async def remove(connection: Connection, key_prefix: str, before: int, most: int) -> int:
    """Remove the oldest ended runs of tasks whose keys begin so; return how many."""
    return (await connection.execute(_REMOVE, (before, key_prefix, key_prefix, most))).rowcount
