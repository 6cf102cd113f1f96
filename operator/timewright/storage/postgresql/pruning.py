"""What is removed from the history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection

from timewright.storage.protocol import Retention

_PRUNE = b"""
    DELETE FROM timewright.runs USING (
        SELECT runs.id, coalesce(finished_at, scheduled_at) AS ended, max_age,
            CASE WHEN outcome = 'Succeeded' THEN succeeded_runs ELSE other_runs END AS wanted,
            row_number() OVER (
                PARTITION BY task_id, outcome = 'Succeeded' ORDER BY scheduled_at DESC, runs.id DESC
            ) AS place
        FROM json_to_recordset(%s::json)
            AS given (key text, succeeded_runs bigint, other_runs bigint, max_age bigint)
        JOIN timewright.tasks ON tasks.key = given.key
        JOIN timewright.runs ON runs.task_id = tasks.id AND outcome IS NOT NULL
    ) AS ranked
    WHERE runs.id = ranked.id AND (place > wanted OR ended < extract(epoch FROM clock_timestamp()) - max_age)
"""


async def prune(connection: AsyncConnection[Any], tasks: Mapping[str, Retention]) -> int:
    """Remove what is beyond the retention of each task; return how many runs."""
    given = [
        {
            "key": key,
            "succeeded_runs": retention.succeeded_runs,
            "other_runs": retention.other_runs,
            "max_age": retention.max_age,
        }
        for key, retention in tasks.items()
    ]
    return (await connection.execute(_PRUNE, (json.dumps(given),))).rowcount
