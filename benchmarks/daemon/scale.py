"""What tasks cost that are not due: memory and CPU time of an idle daemon, by their number."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.daemon.place import SCHEDULED_TASKS, connect, control_plane, create_all, daemon, empty, task, writes
from benchmarks.daemon.table import Table

IDLE_SECONDS = 30
CALL = {"call": "benchmarks.peers.daemon_calls:nothing"}


def measure(table: Table, folder: Path, sizes: Sequence[int]) -> None:
    """Measure one size after the other."""
    with control_plane(controllers=False):
        found = asyncio.run(_measure(table, folder, sizes))
    (small, least, _), (large, most, _) = found[0], found[-1]
    if large > small:
        table.line(f"growth: {1000 * (most - least) / (large - small):.1f} kB a task")


async def _measure(table: Table, folder: Path, sizes: Sequence[int]) -> list[tuple[int, float, float]]:
    found = []
    async with await connect() as api:
        for number in sizes:
            bodies = (task(f"task-{each:05}", schedule="17 3 * 1 *", python=CALL) for each in range(number))
            await create_all(api, SCHEDULED_TASKS, bodies)
            # First everything that is to be told of new tasks is told, as fast as it goes.
            with daemon(folder, TIMEWRIGHT_API_WRITES_PER_MINUTE="60000") as process:
                await process.wait_ready()
                before = -1.0
                while before != (before := (await writes(api))[1]):  # noqa: ASYNC110 - the API server is asked
                    await asyncio.sleep(3)
            with daemon(folder) as process:
                await process.wait_ready()
                await asyncio.sleep(10)
                cpu = process.cpu_seconds()
                await asyncio.sleep(IDLE_SECONDS)
                share = (process.cpu_seconds() - cpu) / IDLE_SECONDS
                megabytes, highest = process.megabytes()
            table.line(
                f"{number:>6,} tasks: {megabytes:4.0f} MB resident ({highest:.0f} at most), idle {share:.2%} of a core"
            )
            found.append((number, megabytes, share))
            if number != sizes[-1]:
                await empty(api)
    return found
