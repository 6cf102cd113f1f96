"""Short ways to say what tests record."""

from typing import Any

from timewright.decisions.task_state import OpenPhase
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import Store
from timewright.storage.records import Change, RunRecord

TASK = "shop.schedule:sync"
NOON = 1_800_000_000
"""The nominal time of the first run, in UTC seconds. No store compares it with a clock."""


def run(at: int = NOON, task: str = TASK, **fields: Any) -> RunRecord:
    """A claimed run, whose id follows from its nominal time unless it is given."""
    fields.setdefault("phase", None if "outcome" in fields else OpenPhase.CLAIMED)
    return RunRecord(task, fields.pop("run_id", f"sync-{at}"), at, **fields)


def ended(at: int = NOON, task: str = TASK, outcome: Outcome = Outcome.SUCCEEDED, **fields: Any) -> RunRecord:
    """A run that has an outcome."""
    fields.setdefault("started_at", at + 0.25)
    fields.setdefault("finished_at", at + 1.5)
    return run(at, task, outcome=outcome, **fields)


def change(version: int, *runs: RunRecord, task: str = TASK, watermark: int = NOON, **fields: Any) -> Change:
    return Change(task, version, watermark, "digest", runs=list(runs), **fields)


async def living(store: Store, owner: str = "somebody") -> str:
    """An owner that the store knows."""
    await store.renew(owner)
    return owner


async def record(store: Store, owner: str, *runs: RunRecord, task: str = TASK) -> None:
    """Add runs in one change, whatever the version of the task is."""
    version = (await store.load([task]))[task].version
    assert list(await store.commit(owner, [change(version, *runs, task=task)])) == [True]
