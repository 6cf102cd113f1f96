"""What owners write: claims, starts and outcomes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from timewright.decisions.task_state import OpenPhase
from timewright.storage import columns
from timewright.storage.admission import admit, keyed_runs
from timewright.storage.columns import COUNTERS, RESULT, RUN
from timewright.storage.records import Change, Pause, RunRecord

_KNOWN = "SELECT tasks.key, tasks.id, version FROM json_each(?) AS wanted JOIN tasks ON tasks.key = wanted.value"
_INSERT_TASK = "INSERT INTO tasks (key) VALUES (?) ON CONFLICT (key) DO UPDATE SET key = key RETURNING id"
_OTHER_RUN_WITH_KEY = """
    SELECT 1 FROM runs JOIN tasks ON tasks.id = runs.task_id
    WHERE tasks.key = ? AND idempotency_key = ? AND run_id <> ?
"""
_UPDATE_TASK = "UPDATE tasks SET version = version + 1, watermark = ?, schedule_id = ?, suspended = ? WHERE id = ?"
_IF_THERE = """
    ON CONFLICT (task_id, run_id) DO UPDATE SET
        owner_id = excluded.owner_id, phase = excluded.phase, outcome = excluded.outcome, reason = excluded.reason,
        message = excluded.message, finished_at = excluded.finished_at, host = excluded.host
    WHERE outcome IS NULL
"""
_PUT_RUN = f"""
    INSERT INTO runs (task_id, owner_id, {columns.names(RUN)}) VALUES ({", ".join("?" * (2 + len(RUN)))}) {_IF_THERE}
"""  # noqa: S608 - made of constants
# Nearly all runs start like this, and the fewer values there are the faster it is, by half.
_CLAIM = f"""
    INSERT INTO runs (task_id, owner_id, run_id, scheduled_at, "trigger", host, phase, reason, message, output,
        cancel_requested) VALUES (?, ?, ?, ?, ?, ?, 'Claimed', '', '', '', 0) {_IF_THERE}
"""  # noqa: S608
_ITS_OPEN_RUN = "task_id = (SELECT id FROM tasks WHERE key = ?) AND run_id = ? AND outcome IS NULL"
_CANCEL = f"UPDATE runs SET cancel_requested = 1 WHERE {_ITS_OPEN_RUN}"  # noqa: S608
_DISOWN = f"""
    UPDATE runs SET owner_id = NULL
    WHERE {_ITS_OPEN_RUN} AND phase = 'Claimed' AND owner_id = (SELECT id FROM owners WHERE name = ?)
"""  # noqa: S608
_START = f"UPDATE runs SET phase = ?, started_at = ? WHERE {_ITS_OPEN_RUN} AND owner_id = ?"  # noqa: S608
_FINISH = f"""
    UPDATE runs SET phase = NULL, {", ".join(f"{column} = ?" for column in RESULT)}
    WHERE {_ITS_OPEN_RUN} AND owner_id = ?
"""  # noqa: S608
# As with claims: nearly all runs end without these two.
_FINISH_PLAINLY = f"""
    UPDATE runs SET phase = NULL, {", ".join(f"{column} = ?" for column in RESULT[:-2])},
        {", ".join(f"{column} = NULL" for column in RESULT[-2:])}
    WHERE {_ITS_OPEN_RUN} AND owner_id = ?
"""  # noqa: S608
_COUNT = f"""
    UPDATE tasks SET
        {", ".join(f"{column} = {column} + ?{place}" for place, column in enumerate(COUNTERS.values(), 1))},
        last_success_at = coalesce(max(last_success_at, ?7), last_success_at, ?7),
        last_outcome = CASE WHEN ?9 >= coalesce(last_finished_at, ?9) THEN ?8 ELSE last_outcome END,
        last_finished_at = coalesce(max(last_finished_at, ?9), last_finished_at, ?9)
    WHERE key = ?10
"""  # noqa: S608


def commit(connection: sqlite3.Connection, owner_id: int, changes: Sequence[Change], now: float) -> list[bool]:
    """Make those changes that are still possible; tell which."""
    ids: dict[str, int] = {}
    versions: dict[str, int] = {}
    for key, number, version in connection.execute(_KNOWN, (json.dumps([change.task for change in changes]),)):
        ids[key], versions[key] = number, version
    made = admit(changes, versions, _taken_keys(connection, changes))
    accepted = [change for change, is_made in zip(changes, made, strict=True) if is_made]
    for change in accepted:
        if change.task not in ids:
            (ids[change.task],) = connection.execute(_INSERT_TASK, (change.task,)).fetchone()
    connection.executemany(
        _UPDATE_TASK, [(each.watermark, each.schedule_id, int(each.suspended), ids[each.task]) for each in accepted]
    )
    _put_open(connection, owner_id, ids, accepted)
    _put_finished(connection, ids, accepted, now)
    connection.executemany(_CANCEL, [(change.task, run_id) for change in accepted for run_id in change.cancel])
    return made


def _taken_keys(connection: sqlite3.Connection, changes: Sequence[Change]) -> list[tuple[str, str]]:
    return [
        (task, key)
        for task, key, run_id in keyed_runs(changes)
        if connection.execute(_OTHER_RUN_WITH_KEY, (task, key, run_id)).fetchone()
    ]


def _put_open(connection: sqlite3.Connection, owner_id: int, ids: Mapping[str, int], changes: Sequence[Change]) -> None:
    claims, others = [], []
    for change in changes:
        for run in change.runs:
            if run.outcome is not None:
                continue
            task_id = ids[run.task]
            if _is_plain_claim(run):
                claims.append((task_id, owner_id, run.run_id, run.scheduled_at, run.trigger._value_, run.host))
            else:
                its_owner = None if run.phase is OpenPhase.QUEUED else owner_id
                others.append((task_id, its_owner, *columns.run_values(run)))
    connection.executemany(_CLAIM, claims)
    connection.executemany(_PUT_RUN, others)


def _is_plain_claim(run: RunRecord) -> bool:
    return run.phase is OpenPhase.CLAIMED and not (
        run.parameters or run.idempotency_key or run.message or run.reason or run.cancel_requested
    )


def _put_finished(
    connection: sqlite3.Connection, ids: Mapping[str, int], changes: Sequence[Change], now: float
) -> None:
    counted = []
    for change in changes:
        if change.ended:
            counted.append((*columns.counted_without_records(change.ended), change.task))
        for run in change.runs:
            if run.outcome is not None:
                values = (ids[run.task], None, *columns.run_values(run))
                if connection.execute(_PUT_RUN, values).rowcount:
                    counted.append((*columns.counted(run, now), run.task))
    connection.executemany(_COUNT, counted)


def mark_started(connection: sqlite3.Connection, owner_id: int, runs: Sequence[RunRecord]) -> None:
    """Note when runs of the owner started."""
    connection.executemany(
        _START, [(OpenPhase.RUNNING.value, run.started_at, run.task, run.run_id, owner_id) for run in runs]
    )


def finish(connection: sqlite3.Connection, owner_id: int, runs: Sequence[RunRecord], now: float) -> list[bool]:
    """Record how runs of the owner ended; tell for which that was possible."""
    counted = []
    recorded = []
    for run in runs:
        *values, attempts, peak_memory_bytes = columns.result_values(run)
        if attempts is None and peak_memory_bytes is None:
            done = connection.execute(_FINISH_PLAINLY, (*values, run.task, run.run_id, owner_id))
        else:
            done = connection.execute(_FINISH, (*values, attempts, peak_memory_bytes, run.task, run.run_id, owner_id))
        recorded.append(done.rowcount == 1)
        if done.rowcount == 1:
            counted.append((*columns.counted(run, now), run.task))
    connection.executemany(_COUNT, counted)
    return recorded


def disown(connection: sqlite3.Connection, owner: str, changes: Sequence[Change]) -> None:
    """Give up what was claimed with these changes and what nobody started, since the answer reached nobody."""
    connection.executemany(
        _DISOWN, [(run.task, run.run_id, owner) for change in changes for run in change.runs if run.outcome is None]
    )


def request_cancel(connection: sqlite3.Connection, task: str, run_id: str) -> bool:
    """Ask for the end of an open run; tell whether there is one."""
    return connection.execute(_CANCEL, (task, run_id)).rowcount == 1


def abandon(connection: sqlite3.Connection, task: str, run_id: str) -> bool:
    """Take an open run from its owner; tell whether there is one that had one."""
    return (
        connection.execute(
            f"UPDATE runs SET owner_id = NULL WHERE {_ITS_OPEN_RUN} AND phase <> 'Queued'",  # noqa: S608
            (task, run_id),
        ).rowcount
        == 1
    )


def set_pause(connection: sqlite3.Connection, task: str, pause: Pause | None) -> None:
    """Pause a task or resume it."""
    (task_id,) = connection.execute(_INSERT_TASK, (task,)).fetchone()
    reason, until = ("", None) if pause is None else (columns.text(pause.reason), pause.until)
    connection.execute(
        "UPDATE tasks SET version = version + 1, paused = ?, pause_reason = ?, pause_until = ? WHERE id = ?",
        (int(pause is not None), reason, until, task_id),
    )
