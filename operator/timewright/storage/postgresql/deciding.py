"""What owners write: claims, starts and outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timewright.decisions.task_state import OpenPhase
from timewright.storage import columns
from timewright.storage.admission import admit, keyed_runs
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
from timewright.storage.records import Change, Pause, RunRecord

_TAKEN_KEYS = b"""
    SELECT DISTINCT given.task, given.key
    FROM json_to_recordset(%s::json) AS given (task text, key text, run_id text)
    JOIN timewright.tasks ON tasks.key = given.task
    JOIN timewright.runs ON runs.task_id = tasks.id AND runs.idempotency_key = given.key AND runs.run_id <> given.run_id
"""
_UPDATE_TASKS = b"""
    UPDATE timewright.tasks
    SET version = version + 1, watermark = given.watermark, schedule_id = given.schedule_id, suspended = given.suspended
    FROM json_to_recordset(%s::json) AS given (id bigint, watermark bigint, schedule_id text, suspended boolean)
    WHERE tasks.id = given.id
"""
_PUT_RUNS = f"""
    INSERT INTO timewright.runs (task_id, owner_id, {columns.names(RUN)})
    SELECT task_id, owner_id, {given_columns(RUN)}
    FROM json_to_recordset(%s::json) AS given (task_id bigint, owner_id bigint, {typed_columns(RUN)})
    ON CONFLICT (task_id, run_id) DO UPDATE SET
        owner_id = excluded.owner_id, phase = excluded.phase, outcome = excluded.outcome, reason = excluded.reason,
        message = excluded.message, finished_at = excluded.finished_at, host = excluded.host
    WHERE runs.outcome IS NULL
"""  # noqa: S608 - made of constants, as is all below
_PUT_OPEN = _PUT_RUNS.encode()
_PUT_FINISHED = f"{_PUT_RUNS} RETURNING task_id, run_id".encode()
_ITS_OPEN_RUN = "runs.task_id = tasks.id AND runs.run_id = given.run_id AND runs.outcome IS NULL"
_CANCEL = f"""
    UPDATE timewright.runs SET cancel_requested = true
    FROM json_to_recordset(%s::json) AS given (task text, run_id text) JOIN timewright.tasks ON tasks.key = given.task
    WHERE {_ITS_OPEN_RUN}
""".encode()  # noqa: S608
_DISOWN = f"""
    UPDATE timewright.runs SET owner_id = NULL
    FROM json_to_recordset(%s::json) AS given (task text, run_id text) JOIN timewright.tasks ON tasks.key = given.task
    WHERE {_ITS_OPEN_RUN} AND runs.phase = 'Claimed' AND runs.owner_id = %s
""".encode()  # noqa: S608
_START = f"""
    UPDATE timewright.runs SET phase = 'Running', started_at = given.started_at
    FROM json_to_recordset(%s::json) AS given (task text, run_id text, started_at double precision)
    JOIN timewright.tasks ON tasks.key = given.task
    WHERE {_ITS_OPEN_RUN} AND runs.owner_id = %s
""".encode()  # noqa: S608
_FINISH = f"""
    UPDATE timewright.runs
    SET phase = NULL, ({columns.names(RESULT)}) = ROW ({given_columns(RESULT)})
    FROM json_to_recordset(%s::json) AS given (task text, run_id text, {typed_columns(RESULT)})
    JOIN timewright.tasks ON tasks.key = given.task
    WHERE {_ITS_OPEN_RUN} AND runs.owner_id = %s
    RETURNING tasks.key, runs.run_id
""".encode()  # noqa: S608
_ONE_OPEN_RUN = """
    WHERE task_id = (SELECT id FROM timewright.tasks WHERE key = %s) AND run_id = %s AND outcome IS NULL
"""
_REQUEST_CANCEL = f"UPDATE timewright.runs SET cancel_requested = true {_ONE_OPEN_RUN}".encode()  # noqa: S608
_ABANDON = f"UPDATE timewright.runs SET owner_id = NULL {_ONE_OPEN_RUN} AND phase <> 'Queued'".encode()  # noqa: S608
_PAUSE = b"""
    INSERT INTO timewright.tasks (key, version, paused, pause_reason, pause_until) VALUES (%s, 1, %s, %s, %s)
    ON CONFLICT (key) DO UPDATE SET version = tasks.version + 1, paused = excluded.paused,
        pause_reason = excluded.pause_reason, pause_until = excluded.pause_until
"""


async def commit(connection: Connection, owner_id: int, changes: Sequence[Change], now: float) -> list[bool]:
    """Make those changes that are still possible; tell which."""
    await insert_tasks(connection, [change.task for change in changes if change.version == 0])
    ids: dict[str, int] = {}
    versions: dict[str, int] = {}
    for key, number, version in await lock_tasks(connection, {change.task for change in changes}):
        ids[key], versions[key] = number, version
    made = admit(changes, versions, await _taken_keys(connection, changes))
    accepted = [change for change, is_made in zip(changes, made, strict=True) if is_made]
    await execute(connection, _UPDATE_TASKS, (_task_values(change, ids[change.task]) for change in accepted))
    await _put_open(connection, owner_id, ids, accepted)
    await _put_finished(connection, ids, accepted, now)
    cancelled = ({"task": change.task, "run_id": run_id} for change in accepted for run_id in change.cancel)
    await execute(connection, _CANCEL, cancelled)
    return made


async def _taken_keys(connection: Connection, changes: Sequence[Change]) -> list[tuple[Any, ...]]:
    keyed = ({"task": task, "key": key, "run_id": run_id} for task, key, run_id in keyed_runs(changes))
    return await execute(connection, _TAKEN_KEYS, keyed)


def _task_values(change: Change, task_id: int) -> dict[str, Any]:
    return {
        "id": task_id,
        "watermark": change.watermark,
        "schedule_id": change.schedule_id,
        "suspended": change.suspended,
    }


async def _put_open(connection: Connection, owner_id: int, ids: Mapping[str, int], changes: Sequence[Change]) -> None:
    given = (
        run_values(run, ids[run.task], None if run.phase is OpenPhase.QUEUED else owner_id)
        for change in changes
        for run in change.runs
        if run.outcome is None
    )
    await execute(connection, _PUT_OPEN, given)


async def _put_finished(connection: Connection, ids: Mapping[str, int], changes: Sequence[Change], now: float) -> None:
    counted: list[tuple[str, tuple[Any, ...]]] = [
        (change.task, columns.counted_without_records(change.ended)) for change in changes if change.ended
    ]
    ended = {(ids[run.task], run.run_id): run for change in changes for run in change.runs if run.outcome is not None}
    given = (run_values(run, task_id, None) for (task_id, _), run in ended.items())
    put = set(await execute(connection, _PUT_FINISHED, given))
    counted += [(run.task, columns.counted(run, now)) for identity, run in ended.items() if identity in put]
    await count(connection, counted)


async def mark_started(connection: Connection, owner_id: int, runs: Sequence[RunRecord]) -> None:
    """Note when runs of the owner started."""
    await lock_tasks(connection, {run.task for run in runs})
    given = ({"task": run.task, "run_id": run.run_id, "started_at": run.started_at} for run in runs)
    await execute(connection, _START, given, owner_id)


async def finish(connection: Connection, owner_id: int, runs: Sequence[RunRecord], now: float) -> list[bool]:
    """Record how runs of the owner ended; tell for which that was possible."""
    await lock_tasks(connection, {run.task for run in runs})
    first: dict[tuple[str, str], RunRecord] = {}
    for run in runs:
        first.setdefault((run.task, run.run_id), run)
    given = (_result_values(run) for run in first.values())
    recorded = set(await execute(connection, _FINISH, given, owner_id))
    await count(connection, [(run.task, columns.counted(run, now)) for key, run in first.items() if key in recorded])
    return [(run.task, run.run_id) in recorded and first[run.task, run.run_id] is run for run in runs]


def _result_values(run: RunRecord) -> dict[str, Any]:
    values = dict(zip(RESULT, columns.result_values(run), strict=True))
    values["task"] = run.task
    values["run_id"] = run.run_id
    return values


async def disown(connection: Connection, owner_id: int, changes: Sequence[Change]) -> None:
    """Give up what was claimed with these changes and what nobody started, since the answer reached nobody."""
    claimed = [run for change in changes for run in change.runs if run.outcome is None]
    await lock_tasks(connection, {run.task for run in claimed})
    await execute(connection, _DISOWN, ({"task": run.task, "run_id": run.run_id} for run in claimed), owner_id)


async def request_cancel(connection: Connection, task: str, run_id: str) -> bool:
    """Ask for the end of an open run; tell whether there is one."""
    return (await connection.execute(_REQUEST_CANCEL, (task, run_id))).rowcount == 1


async def abandon(connection: Connection, task: str, run_id: str) -> bool:
    """Take an open run from its owner; tell whether there is one that is not queued."""
    return (await connection.execute(_ABANDON, (task, run_id))).rowcount == 1


async def set_pause(connection: Connection, task: str, pause: Pause | None) -> None:
    """Pause a task or resume it."""
    reason, until = ("", None) if pause is None else (columns.text(pause.reason), pause.until)
    await connection.execute(_PAUSE, (task, pause is not None, reason, until))
