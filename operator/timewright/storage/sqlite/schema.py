"""The tables, and the steps that lead there from each earlier version."""

from __future__ import annotations

from timewright.storage.columns import COUNTERS

APPLICATION_ID = 0x54574B31
"""Marks the file as ours, for `file` and for refusing somebody else's."""

_COUNTERS = ", ".join(f"{column} INTEGER NOT NULL DEFAULT 0" for column in COUNTERS.values())

_FIRST = (
    # `expires` is on the clock of `storage.machine`, which starts anew with each boot.
    """
    CREATE TABLE owners (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        dead INTEGER NOT NULL DEFAULT 0,
        expires REAL NOT NULL,
        boot TEXT NOT NULL,
        pid_namespace TEXT,
        pid INTEGER,
        started TEXT
    )
    """,
    f"""
    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        version INTEGER NOT NULL DEFAULT 0,
        watermark INTEGER,
        schedule_id TEXT,
        suspended INTEGER NOT NULL DEFAULT 0,
        paused INTEGER NOT NULL DEFAULT 0,
        pause_reason TEXT NOT NULL DEFAULT '',
        pause_until INTEGER,
        {_COUNTERS},
        last_success_at INTEGER,
        last_outcome TEXT,
        last_finished_at INTEGER
    )
    """,
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        task_id INTEGER NOT NULL,
        owner_id INTEGER,
        run_id TEXT NOT NULL,
        scheduled_at INTEGER NOT NULL,
        "trigger" TEXT NOT NULL,
        phase TEXT,
        outcome TEXT,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        started_at REAL,
        finished_at REAL,
        exit_code INTEGER,
        output TEXT NOT NULL,
        attempts TEXT,
        peak_memory_bytes INTEGER,
        parameters TEXT,
        idempotency_key TEXT,
        host TEXT NOT NULL,
        cancel_requested INTEGER NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX runs_identity ON runs (task_id, run_id)",
    "CREATE INDEX runs_open ON runs (task_id, owner_id) WHERE outcome IS NULL",
    "CREATE INDEX runs_to_cancel ON runs (owner_id) WHERE outcome IS NULL AND cancel_requested",
    "CREATE INDEX runs_latest ON runs (scheduled_at)",
    "CREATE UNIQUE INDEX runs_once ON runs (task_id, idempotency_key) WHERE idempotency_key IS NOT NULL",
    """
    CREATE TABLE locks (
        name TEXT NOT NULL,
        token INTEGER NOT NULL,
        owner_id INTEGER NOT NULL,
        holder TEXT NOT NULL,
        acquired_at INTEGER NOT NULL,
        PRIMARY KEY (name, token)
    ) WITHOUT ROWID
    """,
    # Outlives the lock: a token is never given twice.
    "CREATE TABLE lock_tokens (name TEXT PRIMARY KEY, token INTEGER NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
"""What to do to get from the version that is the index to the next one."""
