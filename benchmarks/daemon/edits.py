"""How soon an edit takes effect, and how soon a daemon starts its first tick, beside ten thousand tasks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.daemon.place import (
    NAMESPACE,
    SCHEDULED_TASKS,
    Daemon,
    connect,
    control_plane,
    create_all,
    daemon,
    quantile,
    task,
    until,
)
from benchmarks.daemon.table import Table

NAMED = {"call": "benchmarks.peers.daemon_calls:named"}
EDITED = 200
"""How many tasks are edited. Each is suspended, and has its latest tick made up for once it no longer is: its run tells
when the edit took effect, whatever the second."""

GAP_SECONDS = 0.07


def measure(table: Table, folder: Path, number: int) -> None:
    """Measure both on one control plane."""
    with control_plane(controllers=False):
        start, edits = asyncio.run(_measure(folder, number))
    table.line(f"start with {number:,} tasks: first tick after {start:.2f} s (of a task that is due every second)")
    table.delays("edit until it takes effect", edits, [], f"{len(edits)} of {EDITED} edits")
    table.target(f"start with {number:,} tasks ≤ 10 s", start <= 10)
    table.target("edit until it takes effect: p99 ≤ 1 s", len(edits) == EDITED and quantile(edits, 0.99) <= 1)


async def _measure(folder: Path, number: int) -> tuple[float, list[float]]:
    named = folder / "named"
    async with await connect() as api:
        yearly = (task(f"task-{each:05}", schedule="0 0 1 1 *", python=NAMED) for each in range(number))
        await create_all(api, SCHEDULED_TASKS, yearly)
        await create_all(api, SCHEDULED_TASKS, [task("every-second", schedule="* * * * * *", python=NAMED)])
        resting = {"schedule": "* * * * * *", "suspend": True, "onResume": "Latest", "python": NAMED}
        await create_all(api, SCHEDULED_TASKS, (task(f"edited-{each}", **resting) for each in range(EDITED)))
        began = time.time()
        with daemon(folder, BENCH_NAMED=str(named), TIMEWRIGHT_API_WRITES_PER_MINUTE="6000") as process:
            await until(named.exists, process.alive)
            first = await _first(named, process) - began
            await asyncio.sleep(10)
            asked: dict[str, float] = {}
            for each in range(EDITED):
                name = f"edited-{each}"
                asked[name] = time.time()
                await api.merge_patch(SCHEDULED_TASKS, NAMESPACE, name, {"spec": {"suspend": False}})
                await asyncio.sleep(GAP_SECONDS)
            await asyncio.sleep(5)
            effective: dict[str, float] = {}
            for line in named.read_text().splitlines():
                name, at = line.split()
                effective.setdefault(name, float(at))
        return first, [effective[name] - at for name, at in asked.items() if name in effective]


async def _first(named: Path, process: Daemon) -> float:
    line = await until(lambda: named.read_text().partition("\n")[0], process.alive)
    return float(line.split()[1])
