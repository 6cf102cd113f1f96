"""What one process tells the store: that it lives, what it claims, how its runs ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from timewright.engine.beside import keep_going
from timewright.storage.clock import elapsed
from timewright.storage.owner import new_owner
from timewright.storage.protocol import OwnershipLost, Store, StoreError
from timewright.storage.records import Change, RunRecord, StoredTask

if TYPE_CHECKING:
    from timewright.engine.planning import Plan
    from timewright.engine.task import Task
    from timewright.storage.granting import Blocked, Demand

_RETRY_SECONDS = 1.0
_UNRECORDED_LIMIT = 100_000
"""Records that are kept in memory while the store is away; beyond that the oldest are given up, loudly."""

_NAMED = 5
"""How many runs a message names."""

_SAFE_SHARE = 0.8
"""The share of its lease within which an owner trusts that nobody takes it for dead."""


class Ledger:
    """The hold of this process on a store.

    While the store is away, outcomes are kept and recorded once it is back; nothing can be claimed meanwhile.
    """

    def __init__(self, store: Store, tell: Callable[[str], None]) -> None:
        """Tell a person of trouble through `tell`, one line at a time."""
        self.store = store
        self.owner = new_owner()
        self.on_ownership_lost: Callable[[], None] = lambda: None
        """Called when others may have taken over what this process had claimed."""
        self.tell = tell
        """Takes a line at a time for a person."""
        self._renewed_at = float("-inf")
        self._unrecorded: deque[RunRecord] = deque()
        self._unclaimed: list[tuple[Task, RunRecord]] = []
        self._wake = asyncio.Event()
        self._recording = asyncio.Lock()
        self._background: list[asyncio.Task[None]] = []
        self._trouble: str | None = None
        self._is_open = False

    async def open(self) -> bool:
        """Begin; return whether the store can be used. Where it cannot now, it may be later."""
        try:
            await self._connect()
        except StoreError as error:
            self._report(error)
        lasting = self._keep_renewing, self._keep_recording
        self._background = [asyncio.ensure_future(keep_going(each, self.tell)) for each in lasting]
        return self._trouble is None

    async def close(self) -> None:
        """Record what is left and let go of everything."""
        async with self._recording:  # what is being recorded now is not to be recorded twice
            for each in self._background:
                each.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.record_finished()
        with contextlib.suppress(StoreError):
            if self._unclaimed:
                await self._connect()
                await self._settle()
        unrecorded = len(self._unrecorded) + len(self._unclaimed)
        if unrecorded:
            self.tell(f"{unrecorded} runs could not be recorded; nothing but this log tells of them")
        with contextlib.suppress(StoreError):
            await self.store.retire(self.owner)
        await self.store.close()

    @property
    def available(self) -> bool:
        """Whether the store could be used the last time."""
        return self._trouble is None

    def holds(self) -> bool:
        """Tell whether nobody can have taken this process for dead yet.

        By a clock that runs on while the machine sleeps and that nobody sets, so a process that was stopped knows
        that others may have taken over.
        """
        return elapsed() < self._renewed_at + _SAFE_SHARE * self.store.lease_seconds

    def may_start(self) -> bool:
        """Tell whether runs may begin now.

        Where they must be claimed, each asks for itself; while the store is away, others go on without it.
        """
        return self.store.must_claim or self.holds() or not self.available

    async def load(self, keys: Collection[str]) -> Mapping[str, StoredTask]:
        """Return what is recorded of tasks, what was done unclaimed included; raises StoreError."""
        try:
            if self._unclaimed:
                await self._settle()
            loaded = await self.store.load(keys)
        except StoreError as error:
            self._report(error)
            raise
        self._answered()
        return loaded

    async def claim(self, plans: Sequence[Plan]) -> Sequence[bool]:
        """Record plans; tell for each whether it is this process's to carry out. Raises StoreError."""
        changes = [plan.change for plan in plans if plan.change is not None]
        if not changes:
            return [True] * len(plans)
        try:
            made = iter(await self.store.commit(self.owner, changes))
        except OwnershipLost:
            await self._begin_anew()
            return [False] * len(plans)
        except StoreError as error:
            self._report(error)
            raise
        self._answered()
        return [plan.change is None or next(made) for plan in plans]

    async def acquire_all(self, demands: Sequence[Demand]) -> Sequence[Blocked | None]:
        """Take locks for this process; tell of each demand what stands in its way. Raises StoreError."""
        if not demands:
            return []
        try:
            return await self.store.acquire_all(self.owner, demands)
        except OwnershipLost:
            await self._begin_anew()
            return await self.store.acquire_all(self.owner, demands)
        except StoreError as error:
            self._report(error)
            raise

    def keep_unclaimed(self, task: Task, run: RunRecord) -> None:
        """Remember a run that starts without a claim, to be recorded when that is possible again."""
        self._unclaimed.append((task, run))

    def finished(self, record: RunRecord) -> None:
        """Take an outcome to be recorded soon; many that come together are recorded together."""
        if self._unclaimed and any(run is record for _, run in self._unclaimed):
            return  # it will be recorded as a whole
        if len(self._unrecorded) >= _UNRECORDED_LIMIT:
            lost = self._unrecorded.popleft()
            self.tell(f"the outcome of {lost.run_id} is given up: the store has been away for too long")
        self._unrecorded.append(record)
        self._wake.set()

    async def record_finished(self) -> None:
        """Record the outcomes that have been taken; keep them when that is not possible now."""
        async with self._recording:
            batch = list(self._unrecorded)
            if not batch:
                return
            try:
                recorded = await self.store.finish(self.owner, batch)
            except OwnershipLost:
                recorded = [False] * len(batch)
                await self._begin_anew()
            except StoreError as error:
                self._report(error)
                return
            for _ in batch:
                self._unrecorded.popleft()
            self._answered()
            refused = [record.run_id for record, done in zip(batch, recorded, strict=True) if not done]
            if refused:
                some = ", ".join(refused[:_NAMED]) + (" and more" if len(refused) > _NAMED else "")
                self.tell(f"{len(refused)} outcomes are not recorded, since others took their runs for lost: {some}")

    async def _settle(self) -> None:
        """Record what was run unclaimed, and that its ticks are decided."""
        by_task: dict[str, list[tuple[Task, RunRecord]]] = {}
        for task, run in self._unclaimed:
            by_task.setdefault(task.key, []).append((task, run))
        while by_task:
            stored = await self.store.load(list(by_task))
            changes = [_settling(each[-1][0], [run for _, run in each], stored[key]) for key, each in by_task.items()]
            made = await self.store.commit(self.owner, changes)
            by_task = {
                change.task: by_task[change.task] for change, done in zip(changes, made, strict=True) if not done
            }
        self._unclaimed.clear()

    async def _keep_recording(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.record_finished()
            if self._unrecorded:
                await asyncio.sleep(_RETRY_SECONDS)
                self._wake.set()

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(_RETRY_SECONDS if self._trouble else self.store.lease_seconds / 4)
            try:
                await self._connect()
            except OwnershipLost:
                await self._begin_anew()
            except StoreError as error:
                self._report(error)

    async def _connect(self) -> None:
        """Open the store if that has not been possible yet, and tell it that this process lives."""
        if not self._is_open:
            await self.store.open()
            self._is_open = True
        await self._renew()

    async def _renew(self) -> None:
        began = elapsed()
        await self.store.renew(self.owner)
        self._renewed_at = began
        self._recovered()

    async def _begin_anew(self) -> None:
        if self._renewed_at != float("-inf"):  # else that is known, and nothing was begun since
            self.tell(
                "this process was taken for dead, so others may have taken over its runs; it goes on as a new one"
            )
            self.on_ownership_lost()
        self.owner = new_owner()
        self._renewed_at = float("-inf")
        with contextlib.suppress(StoreError):
            await self._renew()

    def _report(self, error: StoreError) -> None:
        if str(error) != self._trouble:
            self._trouble = str(error)
            self.tell(self._trouble)

    def _answered(self) -> None:
        """Take note that the store has answered. Where it must be asked before every start, that is not enough.

        What needs no claim such a store answers from memory, so only a renewal tells that it can be used.
        """
        if not self.store.must_claim:
            self._recovered()

    def _recovered(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            self.tell("the store can be used again")
            self._wake.set()


def _settling(task: Task, runs: Sequence[RunRecord], stored: StoredTask) -> Change:
    """Return the change that records runs which nobody claimed."""
    state = stored.state
    latest = max(run.scheduled_at + run.jitter for run in runs)
    return Change(
        task=task.key,
        version=stored.version,
        watermark=latest if state.watermark is None else max(state.watermark, latest),
        schedule_id=task.schedule_id,
        suspended=state.suspended,
        runs=list(runs),
    )
