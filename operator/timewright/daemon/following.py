"""What a leader does about news: each change of a task takes effect, and each run that somebody asks for starts."""

from __future__ import annotations

import asyncio
import logging

from timewright.daemon.adoption import Adoption
from timewright.daemon.by_hand import ByHand
from timewright.daemon.giving_back import GivingBack
from timewright.daemon.tenure import Tenure
from timewright.daemon.trouble import text_of
from timewright.engine.executor import Executor
from timewright.engine.loop import Loop

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0


class Following:
    """Follows the news of one leadership, one after the other."""

    def __init__(
        self,
        tenure: Tenure,
        adoption: Adoption,
        giving_back: GivingBack,
        by_hand: ByHand,
        loop: Loop,
        executor: Executor,
    ) -> None:
        """Follow what the queues of a tenure bring."""
        self._tenure, self._adoption, self._giving_back = tenure, adoption, giving_back
        self._by_hand, self._loop, self._executor = by_hand, loop, executor

    async def follow_tasks(self) -> None:
        """Let changes of tasks take effect, until cancelled."""
        changed = self._tenure.changed
        while True:
            uid = await changed.get()
            try:
                await self._follow_task(uid)
            except Exception as error:  # noqa: BLE001 - the news of other tasks are not to wait for this one
                logger.warning("%s; trying again", text_of(error))
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, changed.put_nowait, uid)

    async def follow_requests(self) -> None:
        """Start what people ask for, in the order in which they ask, until cancelled."""
        tenure = self._tenure
        while True:
            name = await tenure.asked.get()
            run = tenure.known.open_by_hand.get(name)
            if run is None or not self._by_hand.wants(run):
                continue
            if not tenure.writer.may_write():  # it waits for the Lease, rather than being missed
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, tenure.asked.put_nowait, name)
                continue
            task = tenure.known.task_named(run.task_name)
            running = tenure.running.get(task.uid) if task else None
            try:
                await self._by_hand.start(run, self._loop, self._executor, running)
            except Exception as error:  # noqa: BLE001 - the requests for other runs are not to wait for this one
                logger.warning("TaskRun %s: %s; trying again", name, text_of(error))
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, tenure.asked.put_nowait, name)

    async def _follow_task(self, uid: str) -> None:
        tenure = self._tenure
        task, book = tenure.known.tasks.get(uid), tenure.store.book(uid)
        is_ours = task is not None and (task.mine or (task.unsaid and book is not None))
        if task is None or not (is_ours or task.given_back):
            if book is not None and uid not in self._giving_back.going:
                why = "its task was deleted" if task is None else "its task is decided by somebody else"
                self._loop.remove_task(uid)
                tenure.let_go(uid)
                self._executor.stop_task(uid, why)
            return
        if task.given_back:
            if uid not in self._giving_back.going:
                if book is None:
                    self._adoption.adopt(task)
                self._giving_back.begin(uid)
            return
        if book is None:
            self._adoption.adopt(task)
            self._adoption.remember_timings(self._loop)
        elif task.task is not None:
            tenure.running[uid] = self._adoption.runnable(task, task.task)
            book.retain(task.task.retention)
        tenure.writer.note(uid, urgent=True)
        if task.task is not None:
            await self._loop.replace_task(tenure.running[uid])
