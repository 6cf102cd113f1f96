"""Ends runs on request, in whatever process they are. This is `schedule:interrupt`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from timewright.decisions.task_state import OpenPhase, OpenRun
from timewright.resources.vocabulary import Outcome, Reason
from timewright.storage.owner import new_owner
from timewright.storage.records import Change, RunRecord, StoredTask

if TYPE_CHECKING:
    from timewright.storage.protocol import Store


class Effect(Enum):
    """What came of the request for one run."""

    ASKED = auto()
    """Whoever runs it will end it."""
    CANCELLED = auto()
    """It waited for room, and is recorded as Cancelled."""
    GONE = auto()
    """Nobody runs it any more; the next decision records it as Lost, or starts it again."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A run that had no outcome."""

    task: str
    """The key of its task."""
    run_id: str
    effect: Effect


async def interrupt(tasks: Collection[str], store: Store, *, run_id: str | None = None) -> list[Interrupted]:
    """Ask for the end of all open runs of tasks, named by their keys, or of one run.

    Opens the store, and closes it. Raises StoreError.
    """
    await store.open()
    try:
        # What waits would start in the place of what is ended.
        done = await _cancel_waiting(tasks, store, run_id)
        for task, known in (await store.load(tasks)).items():
            for run in _open_runs(known, run_id):
                if run.phase is OpenPhase.QUEUED:
                    continue  # it was put there since
                if not run.proven:
                    done.append(Interrupted(task, run.run_id, Effect.GONE))
                elif await store.request_cancel(task, run.run_id):
                    done.append(Interrupted(task, run.run_id, Effect.ASKED))
    finally:
        await store.close()
    return done


async def _cancel_waiting(tasks: Collection[str], store: Store, run_id: str | None) -> list[Interrupted]:
    """Record those runs as Cancelled that wait for room."""
    done: list[Interrupted] = []
    owner: str | None = None
    changes = _cancelling(await store.load(tasks), run_id)
    while changes:
        if owner is None:
            owner = new_owner()
            await store.renew(owner)
        made = await store.commit(owner, changes)
        refused = [change.task for change, is_made in zip(changes, made, strict=True) if not is_made]
        for change, is_made in zip(changes, made, strict=True):
            if is_made:
                done += [Interrupted(run.task, run.run_id, Effect.CANCELLED) for run in change.runs]
        changes = _cancelling(await store.load(refused), run_id) if refused else []
    if owner is not None:
        await store.retire(owner)
    return done


def _cancelling(stored: Mapping[str, StoredTask], run_id: str | None) -> list[Change]:
    changes = []
    for known in stored.values():
        waiting = [run for run in _open_runs(known, run_id) if run.phase is OpenPhase.QUEUED]
        if waiting:
            changes.append(ending(known, waiting, Outcome.CANCELLED, Reason.INTERRUPTED, _WAITED))
    return changes


_WAITED = "somebody asked for its end while it waited for room"


def ending(known: StoredTask, runs: Collection[OpenRun], outcome: Outcome, reason: Reason, message: str) -> Change:
    """Return the change that ends open runs of a task, whoever has them."""
    state = known.state
    return Change(
        known.key,
        known.version,
        state.watermark,
        state.schedule_id,
        state.suspended,
        runs=[
            RunRecord(
                known.key, run.run_id, run.scheduled_at, run.trigger, outcome=outcome, reason=reason, message=message
            )
            for run in runs
        ],
    )


def _open_runs(known: StoredTask, run_id: str | None) -> list[OpenRun]:
    return [run for run in known.state.open_runs if run_id in (None, run.run_id)]
