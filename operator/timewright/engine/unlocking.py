"""Gives up runs that hang for good, so that the task may run again. This is `schedule:unlock`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from timewright.decisions.task_state import OpenPhase
from timewright.engine.interrupting import ending
from timewright.resources.vocabulary import OnLost, Outcome, Reason
from timewright.storage.owner import new_owner

if TYPE_CHECKING:
    from timewright.engine.task import Task
    from timewright.storage.protocol import Store
    from timewright.storage.records import StoredTask


class Effect(Enum):
    """What became of one open run."""

    LOST = auto()
    """It is recorded as Lost."""
    TO_RERUN = auto()
    """It will start again, since the task says so of lost runs."""
    ALIVE = auto()
    """Whoever runs it is alive, so it stays as it is."""
    WAITS = auto()
    """It waits for room, which is nothing to give up."""


@dataclass(frozen=True, slots=True)
class Unlocked:
    """An open run."""

    run_id: str
    effect: Effect


async def unlock(task: Task, store: Store, *, force: bool) -> list[Unlocked]:
    """Give up the open runs of a task whose owners are dead; with `force` of living ones, too.

    An owner that lives cannot record such a run any more, but its process goes on. Opens the store, and closes it.
    Raises StoreError.
    """
    await store.open()
    owner = new_owner()
    await store.renew(owner)
    try:
        while True:
            known = (await store.load([task.key]))[task.key]
            if force and await _abandon(known, store):
                continue
            lost = [run for run in known.state.open_runs if not run.proven]
            reruns = task.policies.on_lost is OnLost.RERUN
            if lost and not reruns:
                change = ending(known, lost, Outcome.LOST, Reason.OWNER_GONE, "given up by schedule:unlock")
                if not (await store.commit(owner, [change]))[0]:
                    continue
            return [Unlocked(run.run_id, _effect(run.phase, run.proven, reruns)) for run in known.state.open_runs]
    finally:
        await store.retire(owner)
        await store.close()


async def _abandon(known: StoredTask, store: Store) -> bool:
    """Make the runs of living owners unproven; tell whether there were any."""
    made = [
        await store.abandon(known.key, run.run_id)
        for run in known.state.open_runs
        if run.proven and run.phase is not OpenPhase.QUEUED
    ]
    return any(made)


def _effect(phase: OpenPhase, proven: bool, reruns: bool) -> Effect:
    if phase is OpenPhase.QUEUED:
        return Effect.WAITS
    if proven:
        return Effect.ALIVE
    return Effect.TO_RERUN if reruns else Effect.LOST
