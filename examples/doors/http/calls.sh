#!/bin/sh
# What may be asked of `timewright serve --app shop:schedule`. $SERVER is where it listens.
set -e
call() { curl --silent --show-error --fail-with-body -H "Authorization: Bearer $TIMEWRIGHT_SERVE_TOKEN" "$@"; echo; }

# What is due now, as Cloud Scheduler asks for it.
call -X POST "$SERVER/run" -H "X-CloudScheduler-ScheduleTime: $(date -u +%Y-%m-%dT%H:%M:00Z)"

# One task, at most once for this key.
call "$SERVER/tasks/invoice/run" -H "Idempotency-Key: invoice-2026-02" --json '{"parameters": {"month": "2026-02"}}'

call "$SERVER/tasks"
call "$SERVER/runs?task=invoice&limit=5"
