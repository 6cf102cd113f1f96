"""From records to the columns of a table and back, the same in every database."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.resources.vocabulary import Outcome, Trigger
from timewright.storage.records import Pause, RunRecord, StoredTask

RUN = (
    "run_id",
    "scheduled_at",
    "trigger",
    "phase",
    "outcome",
    "reason",
    "message",
    "started_at",
    "finished_at",
    "exit_code",
    "output",
    "attempts",
    "peak_memory_bytes",
    "parameters",
    "idempotency_key",
    "host",
    "cancel_requested",
)
"""The columns of a run after that of its task, in the order of `run_values` and `run_of`."""

RESULT = (
    "outcome",
    "reason",
    "message",
    "started_at",
    "finished_at",
    "exit_code",
    "output",
    "attempts",
    "peak_memory_bytes",
)
"""Those that tell how it ended, in the order of `result_values`."""

COUNTERS = {outcome: outcome.value.lower() for outcome in Outcome}
"""The column that counts an outcome."""

TASK = (
    "key",
    "version",
    "watermark",
    "schedule_id",
    "suspended",
    "paused",
    "pause_reason",
    "pause_until",
    "last_success_at",
    "last_outcome",
    "last_finished_at",
    *COUNTERS.values(),
)
"""The columns of a task, in the order of `task_of`."""


def run_values(run: RunRecord) -> tuple[Any, ...]:
    """Return a run as it is added."""
    return (
        run.run_id,
        run.scheduled_at,
        run.trigger._value_,
        run.phase and run.phase._value_,
        run.outcome and run.outcome._value_,
        run.reason,
        run.message and text(run.message),
        run.started_at,
        run.finished_at,
        run.exit_code,
        run.output and text(run.output),
        _json(run.attempts),
        run.peak_memory_bytes,
        _json(run.parameters),
        run.idempotency_key,
        run.host,
        int(run.cancel_requested),
    )


def result_values(run: RunRecord) -> tuple[Any, ...]:
    """Return how a run ended."""
    return (
        run.outcome and run.outcome._value_,
        run.reason,
        run.message and text(run.message),
        run.started_at,
        run.finished_at,
        run.exit_code,
        run.output and text(run.output),
        _json(run.attempts),
        run.peak_memory_bytes,
    )


def run_of(task: str, values: Sequence[Any]) -> RunRecord:
    """Return the run that these values describe."""
    (run_id, scheduled_at, trigger, phase, outcome, reason, message, started_at, finished_at, exit_code) = values[:10]
    (output, attempts, peak_memory_bytes, parameters, idempotency_key, host, cancel_requested) = values[10:]
    return RunRecord(
        task=task,
        run_id=run_id,
        scheduled_at=scheduled_at,
        trigger=Trigger(trigger),
        phase=None if phase is None else OpenPhase(phase),
        outcome=None if outcome is None else Outcome(outcome),
        reason=reason,
        message=message,
        started_at=started_at,
        finished_at=finished_at,
        exit_code=exit_code,
        output=output,
        attempts=json.loads(attempts) if attempts else (),
        peak_memory_bytes=peak_memory_bytes,
        parameters=json.loads(parameters) if parameters else {},
        idempotency_key=idempotency_key,
        host=host,
        cancel_requested=bool(cancel_requested),
    )


def task_of(values: Sequence[Any], open_runs: Collection[OpenRun]) -> StoredTask:
    """Return the task that these values describe."""
    key, version, watermark, schedule_id, suspended, paused, pause_reason, pause_until, *rest = values
    last_success_at, last_outcome, last_finished_at, *counted = rest
    return StoredTask(
        key=key,
        version=version,
        state=TaskState(watermark, schedule_id, bool(suspended), tuple(open_runs)),
        pause=Pause(pause_reason, pause_until) if paused else None,
        counters={outcome: count for outcome, count in zip(COUNTERS, counted, strict=True) if count},
        last_success_at=last_success_at,
        last_outcome=None if last_outcome is None else Outcome(last_outcome),
        last_finished_at=last_finished_at,
    )


def text(value: str) -> str:
    """Return a text that every database takes: NUL and half a surrogate pair, which programs print, are replaced."""
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _json(value: Any) -> str | None:
    return json.dumps(value) if value else None


COUNTED = (*COUNTERS.values(), "last_success_at", "last_outcome", "last_finished_at")
"""The columns of a task that ends of runs change: what is added to the counters, and what was the last."""

_ONE = {outcome: tuple(int(each is outcome) for each in COUNTERS) for outcome in Outcome}


def counted(run: RunRecord, now: float) -> tuple[Any, ...]:
    """Return what changes in COUNTED by a run that has just got its outcome. One without `finished_at` ended `now`."""
    outcome = run.outcome
    if outcome is None:
        raise ValueError(f"run {run.run_id} has no outcome to be counted")
    if not _had_started(run):
        return (*_ONE[outcome], None, None, None)
    finished_at = int(now if run.finished_at is None else run.finished_at)
    return (
        *_ONE[outcome],
        finished_at if outcome is Outcome.SUCCEEDED else None,
        outcome._value_,
        finished_at,
    )


def counted_without_records(counts: Mapping[Outcome, int]) -> tuple[Any, ...]:
    """Return what changes in COUNTED by ends that have no records."""
    return (*(counts.get(outcome, 0) for outcome in COUNTERS), None, None, None)


def counted_together(changes: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the sum of changes in COUNTED; of two runs that ended in the same second the later one is the last."""
    sums = [0] * len(COUNTERS)
    last_success_at: int | None = None
    last_outcome: str | None = None
    last_finished_at: int | None = None
    for *counts, success_at, outcome, finished_at in changes:
        sums = [total + count for total, count in zip(sums, counts, strict=True)]
        if success_at is not None and (last_success_at is None or success_at > last_success_at):
            last_success_at = success_at
        if finished_at is not None and (last_finished_at is None or finished_at >= last_finished_at):
            last_outcome, last_finished_at = outcome, finished_at
    return (*sums, last_success_at, last_outcome, last_finished_at)


# Of these outcomes no run has one that never started. A cancelled one may have.
_AFTER_START = frozenset({Outcome.SUCCEEDED, Outcome.FAILED, Outcome.LOST})


def _had_started(run: RunRecord) -> bool:
    return run.outcome in _AFTER_START or (run.outcome is Outcome.CANCELLED and run.started_at is not None)


def names(columns: Iterable[str], prefix: str = "") -> str:
    """Return columns as they are listed in a statement; some of the names are words of SQL."""
    return ", ".join(f'{prefix}"{column}"' for column in columns)
