"""How a leader gives a task back to the operator: it claims no more, lets start what it has claimed, and says so.

Of a task whose runs must not overlap it waits for a moment without one: who decides afterwards knows nothing of them.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable
from typing import Self

from timewright.daemon import documents
from timewright.daemon.by_hand import leave_to_operator
from timewright.daemon.known import KnownTask
from timewright.daemon.last_words import LastWords
from timewright.daemon.runs_of_others import NOBODY_CAN_TELL, PATIENCE_SECONDS
from timewright.daemon.tenure import Tenure
from timewright.daemon.writer import to_the_end
from timewright.decisions.handover import decides_while_active, waits_for_ends
from timewright.decisions.policies import Policies
from timewright.decisions.task_state import OpenPhase
from timewright.engine.beside import keep_going
from timewright.engine.executor import Executor
from timewright.engine.loop import Loop
from timewright.resources.vocabulary import Outcome, Reason
from timewright.timetable.jitter import done_until

logger = logging.getLogger(__name__)

_START_SECONDS = 30.0
"""How long what was claimed may take to start."""

_LOOK_SECONDS = 0.05
_RETRY_SECONDS = 1.0


class GivingBack:
    """The tasks that one leadership gives back."""

    def __init__(self, tenure: Tenure, loop: Loop, executor: Executor) -> None:
        """Begin with none."""
        self.going: dict[str, asyncio.Task[None]] = {}
        """Those that are about to be given back, by UID."""
        self._released: dict[str, int] = {}
        """Of those of which nothing is decided any more: up to which instant all is."""
        self._tenure, self._loop, self._executor = tenure, loop, executor

    async def __aenter__(self) -> Self:
        """Begin with none."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave those that are not given back by now to the next leader."""
        going = list(self.going.values())
        for each in going:
            each.cancel()
        await asyncio.gather(*going, return_exceptions=True)

    def begin(self, uid: str) -> None:
        """Give a task back, unless that goes on already."""
        if uid not in self.going:
            self.going[uid] = asyncio.ensure_future(self._give_back(uid))

    async def _give_back(self, uid: str) -> None:
        try:
            await keep_going(functools.partial(self._bring_back, uid), logger.warning)
        finally:
            self.going.pop(uid, None)
            self._released.pop(uid, None)
            self._tenure.leaving.pop(uid, None)
            if not self._is_to_go(uid):
                self._look_again(uid)

    async def _bring_back(self, uid: str) -> None:
        tenure = self._tenure
        if not await self._wait_for_ends(uid, decides_while_active):
            self._keep(uid)
            return
        if uid not in self._released:
            self._released[uid] = await self._loop.release_task(uid)
            tenure.store.rest(uid, self._released[uid])
        until = self._released[uid]
        await self._wait_for_starts(uid)
        if not await self._wait_for_ends(uid, waits_for_ends):
            self._keep(uid)
            return
        book, task = tenure.store.book(uid), tenure.known.tasks.get(uid)
        if book is None or task is None:
            return
        await self._end_queued(uid)
        await self._end_lost(uid)
        # Of one that never ran here it is known what the leader before had claimed, and nothing later was decided.
        until = max(until if uid in tenure.running else book.begins_at, book.state.watermark or 0)
        running = tenure.task(uid)
        if running is not None:  # what waits for its jitter is for whoever decides from now on
            until = done_until(running.ticks, until)
        handed = _as_handed(task)
        is_told = await to_the_end(self._write(uid, until, handed))
        while not is_told:
            await asyncio.sleep(_RETRY_SECONDS)
            is_told = await to_the_end(self._write(uid, until, handed))
        # What has ended meanwhile did so too late for what the status tells.
        late = [run for run in tenure.writer.left_open.get(uid, {}).values() if run.outcome is not None]
        self._loop.remove_task(uid)
        tenure.let_go(uid)
        tenure.spawn(LastWords(tenure).tell_ends(late))
        for run in tenure.known.open_by_hand.values():
            if run.task_name == task.name and (uid, run.name) not in self._executor.active:
                tenure.spawn(leave_to_operator(tenure.api, tenure.known, run.name))

    def _keep(self, uid: str) -> None:
        """Go on with a task that has come back before it was given back."""
        self._tenure.writer.left_open.pop(uid, None)
        self._loop.keep_task(uid)

    def _look_again(self, uid: str) -> None:
        """Follow what a task has become meanwhile, and what people asked for of it."""
        tenure = self._tenure
        tenure.changed.put_nowait(uid)
        task = tenure.known.tasks.get(uid)
        for run in tenure.known.open_by_hand.values():
            if task is not None and run.task_name == task.name:
                tenure.asked.put_nowait(run.name)

    def _is_to_go(self, uid: str) -> bool:
        """Tell whether a task is still to be given back; meanwhile it may have come back, or have been deleted."""
        task = self._tenure.known.tasks.get(uid)
        return task is not None and task.given_back

    async def _wait_for_ends(self, uid: str, is_to_wait: Callable[[Policies], bool]) -> bool:
        """Wait until nothing is active, if the policies ask for that; tell whether the task is still to be given."""
        task = self._tenure.task(uid)
        is_waiting = task is not None and is_to_wait(task.policies) and self._is_active(uid)
        if is_waiting and task is not None:
            logger.info("%s is given back once none of its runs is active", task.name)
            self._tenure.writer.note(uid, urgent=True)
        while is_waiting:
            await asyncio.sleep(_LOOK_SECONDS)
            is_waiting = self._is_to_go(uid) and self._is_active(uid)
        return self._is_to_go(uid)

    def _is_active(self, uid: str) -> bool:
        book = self._tenure.store.book(uid)
        return book is not None and any(run.phase is OpenPhase.RUNNING for run in book.open.values())

    async def _wait_for_starts(self, uid: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        is_begun = self._executor.has_unstarted(uid)
        while is_begun and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            is_begun = self._executor.has_unstarted(uid)

    async def _end_queued(self, uid: str) -> None:
        """End the runs of a task that wait for room: who decides its ticks from now on knows nothing of them."""
        book = self._tenure.store.book(uid)
        if book is None:
            return
        waiting = [run for run in book.open.values() if run.phase is OpenPhase.QUEUED]
        text = "it waited for room when the task's mode or daemon was changed"
        for run in waiting:
            run.end(Outcome.CANCELLED, Reason.SCHEDULE_CHANGED, text)
        await self._tenure.store.finish("", waiting)

    async def _end_lost(self, uid: str) -> None:
        """End the runs of a task that died with the leader before: nobody else would tell of them."""
        store = self._tenure.store
        book = store.book(uid)
        if book is None or time.time() < store.draining_until + PATIENCE_SECONDS:
            return
        unknown = [run for run in book.open.values() if (uid, run.run_id) not in self._executor.active]
        lost = [run for run in unknown if run.outcome is None and documents.is_of_tick(run)]
        for run in lost:
            run.end(Outcome.LOST, Reason.OWNER_GONE, NOBODY_CAN_TELL)
        await store.finish("", lost)

    async def _write(self, uid: str, until: int, handed: str | None) -> bool:
        """Write that the operator decides from now on; tell whether that was possible.

        `handed` is what `_as_handed` returned before the first try.
        """
        writer = self._tenure.writer
        book, task = self._tenure.store.book(uid), self._tenure.known.tasks.get(uid)
        if book is None or task is None:
            return True
        is_ours = task.mine or task.given_back
        if not is_ours or _as_handed(task) not in (None, handed):
            return True  # the last write was made, though it had no answer; the task may even be handed to us anew
        try:
            for run in list(book.open.values()):
                await writer.records.write(task, run)
            await writer.write(uid, handed_back_at=until)
        except Exception as error:  # noqa: BLE001 - without this the task would stay with nobody
            writer.report(uid, error)
            return False
        logger.info("gave back %s, decided until %s", task.name, documents.at(until))
        return True


def _as_handed(task: KnownTask) -> str | None:
    """Return the watermark with which the operator handed a task over; None where a daemon has written since."""
    status = task.raw_status
    return None if "decided" in status else status.get("watermark")
