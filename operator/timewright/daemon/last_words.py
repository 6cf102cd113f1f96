"""Tells of ends that no status of this leadership will tell: of runs that outlive it, or outlive their task's stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from timewright.cluster.api import ApiError
from timewright.daemon import documents
from timewright.daemon.tenure import Tenure
from timewright.storage.records import RunRecord

logger = logging.getLogger(__name__)

_TRIES = 3
"""How often a leader that ends tries to tell of a run."""

_RETRY_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 10.0


class LastWords:
    """Writes TaskRuns, for the next leader or the operator to count."""

    def __init__(self, tenure: Tenure) -> None:
        """Tell of the runs of one leadership."""
        self._tenure = tenure

    async def tell_unwritten(self) -> None:
        """Write what nobody has read yet of runs by hand, and of why others did not succeed.

        The Lease tells of ticks alone, and of these no more than how many ended in each way.
        """
        books = self._tenure.store.books.values()
        by_hand = [run for book in books for run in book.by_hand]
        others = [run for book in books for run in book.others]
        for run in by_hand + sorted(others, key=lambda run: run.scheduled_at):
            await self.tell_ends([run], are_counted=documents.is_of_tick(run))
            await asyncio.sleep(self._tenure.allowance.take(2))

    async def tell_ends(self, runs: Sequence[RunRecord], *, are_counted: bool = False) -> None:
        """Write how runs ended. Whoever decides their tasks by now waits for that, unless the Lease has told it."""
        for run in runs:
            task = self._tenure.known.tasks.get(run.task)
            if task is None or self._tenure.is_lost:
                continue
            tries, pause = 0, _RETRY_SECONDS
            while tries < _TRIES and not self._tenure.is_lost:
                try:
                    await self._tenure.writer.records.write(task, run, leads=False, is_counted=are_counted)
                    break
                except (ApiError, OSError) as error:
                    logger.warning("TaskRun %s: %s; trying again", run.run_id, error or type(error).__name__)
                tries += self._tenure.is_over  # before that there is time: nobody else can ever tell
                await asyncio.sleep(pause)
                pause = _RETRY_SECONDS if self._tenure.is_over else min(2 * pause, _LONGEST_PAUSE_SECONDS)
