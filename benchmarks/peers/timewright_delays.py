"""Prints how late Timewright starts each of many async tasks that are due in the same second, in seconds, one a line.

Each tick is claimed in an SQLite store and each outcome recorded there, as always. The last line is a JSON object: how
many runs the store has a record of, and the process's memory and CPU time.

Usage: timewright_delays.py TASKS PERIOD SECONDS FILE
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from timewright.engine.executor import Executor
from timewright.engine.surroundings import Surroundings
from timewright.engine.work import work
from timewright.resources.vocabulary import Outcome
from timewright.schedule.schedule import Schedule
from timewright.storage.sqlite import SqliteStore

if TYPE_CHECKING:
    from timewright.engine.task import Task


class _Fixed:
    """A source whose tasks never change."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks

    def load(self) -> Sequence[Task]:
        return self._tasks

    def has_changed(self) -> bool:
        return False


async def main(count: int, period: int, seconds: int, path: str) -> None:
    """Schedule the tasks, let them run for that long, and print."""
    delays: list[float] = []

    async def nothing() -> None:
        delays.append(time.time() % period)

    schedule = Schedule("burst")
    for number in range(count):
        schedule.call(nothing).cron(f"*/{period} * * * * *").named(f"task-{number}")
    tasks = schedule.tasks()
    # Begin just after an instant at which all are due, so that starting up is not measured.
    await asyncio.sleep(period - time.time() % period + 1.5)

    def stop_later(executor: Executor) -> None:
        asyncio.get_running_loop().call_later(seconds, executor.begin_to_stop)

    store = SqliteStore(path)
    before = _cpu_seconds()
    await work(
        _Fixed(tasks),
        store,
        surroundings=Surroundings(live=False),
        tell=lambda line: print(line, file=sys.stderr),
        on_begin=stop_later,
    )
    used = _cpu_seconds() - before
    await store.open()
    known = await store.load([task.key for task in tasks])
    await store.close()
    recorded = sum(each.counters.get(Outcome.SUCCEEDED, 0) for each in known.values())
    sys.stdout.write("".join(f"{delay}\n" for delay in delays))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"recorded": recorded, "megabytes": memory, "cpu_seconds": used}))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4]), sys.argv[4]))
