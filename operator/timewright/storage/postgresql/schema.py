"""The tables, and the steps that lead there from each earlier version. All are in a schema called `timewright`."""

from __future__ import annotations

from timewright.storage.columns import COUNTERS

MIGRATION_LOCK = 0x74696D65777269
"""Key of the advisory lock that is held while tables are made."""

_COUNTERS = ", ".join(f"{column} bigint NOT NULL DEFAULT 0" for column in COUNTERS.values())

_FIRST = f"""
    CREATE TABLE timewright.owners (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL UNIQUE,
        dead boolean NOT NULL DEFAULT false,
        expires timestamptz NOT NULL
    );
    CREATE TABLE timewright.tasks (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key text NOT NULL UNIQUE,
        version bigint NOT NULL DEFAULT 0,
        watermark bigint,
        schedule_id text,
        suspended boolean NOT NULL DEFAULT false,
        paused boolean NOT NULL DEFAULT false,
        pause_reason text NOT NULL DEFAULT '',
        pause_until bigint,
        {_COUNTERS},
        last_success_at bigint,
        last_outcome text,
        last_finished_at bigint
    );
    CREATE TABLE timewright.runs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        task_id bigint NOT NULL,
        owner_id bigint,
        run_id text NOT NULL,
        scheduled_at bigint NOT NULL,
        "trigger" text NOT NULL,
        phase text,
        outcome text,
        reason text NOT NULL,
        message text NOT NULL,
        started_at double precision,
        finished_at double precision,
        exit_code bigint,
        output text NOT NULL,
        attempts text,
        peak_memory_bytes bigint,
        parameters text,
        idempotency_key text,
        host text NOT NULL,
        cancel_requested boolean NOT NULL
    );
    CREATE UNIQUE INDEX runs_identity ON timewright.runs (task_id, run_id);
    CREATE INDEX runs_open ON timewright.runs (task_id, owner_id) WHERE outcome IS NULL;
    CREATE INDEX runs_to_cancel ON timewright.runs (owner_id) WHERE outcome IS NULL AND cancel_requested;
    CREATE INDEX runs_latest ON timewright.runs (scheduled_at, id);
    CREATE UNIQUE INDEX runs_once ON timewright.runs (task_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE TABLE timewright.locks (
        name text NOT NULL,
        token bigint NOT NULL,
        owner_id bigint NOT NULL,
        holder text NOT NULL,
        acquired_at bigint NOT NULL,
        PRIMARY KEY (name, token)
    );
    -- Outlives the lock: a token is never given twice.
    CREATE TABLE timewright.lock_tokens (name text PRIMARY KEY, token bigint NOT NULL);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""What to do to get from the version that is the index to the next one."""
