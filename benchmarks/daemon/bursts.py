"""Many tasks due in the same second, every few seconds, in a daemon: delay, cost, and what it writes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.daemon.place import SCHEDULED_TASKS, connect, control_plane, create_all, daemon, quantile, task, writes
from benchmarks.daemon.table import Table
from tests.oracle.robfig import built, is_available

PEERS = Path(__file__).parents[1] / "peers"
PERIOD, SECONDS = 5, 60
CALL = {"call": "benchmarks.peers.daemon_calls:nothing"}


def measure(table: Table, folder: Path, number: int) -> None:
    """Measure a daemon, then its peers, which neither claim nor record anything."""
    begun = folder / "begun"
    with control_plane(controllers=False):
        facts = asyncio.run(_daemon(folder, begun, number))
    times = [float(line) for line in begun.read_text().splitlines()]
    inside = [each for each in times if facts["from"] <= each < facts["to"]]
    delays = [each % PERIOD for each in inside]
    bursts = int((facts["to"] - facts["from"]) // PERIOD)
    table.delays("timewright daemon", delays, delays, f"{len(delays):,} runs in {bursts} bursts")
    cpu = 1000 * facts["cpu"] / max(1, len(delays))
    table.line(
        f"CPU {cpu:.3f} ms a run; {facts['megabytes']:.0f} MB resident, {facts['highest']:.0f} MB at most; "
        f"API writes a minute: {facts['leases']:.0f} of the Lease, {facts['writes']:.0f} others"
    )
    for name, command in (
        ("APScheduler 3", [sys.executable, str(PEERS / "apscheduler_delays.py")]),
        *((("robfig/cron (Go)", [str(built(PEERS / "robfig"))]),) if is_available() else ()),
    ):
        arguments = [*command, str(number), str(PERIOD), str(SECONDS // 2 + 1)]
        lines = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.splitlines()
        theirs = [float(line) for line in lines]
        table.delays(name, theirs, delays, f"{len(theirs):,} runs")
    table.target(f"{number:,} tasks in one second: none left out", len(delays) == number * bursts)
    table.target("p99 start delay ≤ 0.10 s", quantile(delays, 0.99) <= 0.10)
    table.target("CPU ≤ 0.05 ms a run", cpu <= 0.05)
    table.target("memory ≤ 400 MB", facts["highest"] <= 400)


async def _daemon(folder: Path, begun: Path, number: int) -> dict[str, Any]:
    async with await connect() as api:
        bodies = (task(f"task-{each:05}", schedule=f"*/{PERIOD} * * * * *", python=CALL) for each in range(number))
        await create_all(api, SCHEDULED_TASKS, bodies)
        with daemon(folder, BENCH_BEGUN=str(begun)) as process:
            await process.wait_ready()
            # It takes the tasks over in the first seconds, which is measured elsewhere.
            start = (int(time.time()) // PERIOD + 6) * PERIOD + PERIOD - 1
            await asyncio.sleep(start - time.time())
            leases, others = await writes(api)
            cpu = process.cpu_seconds()
            await asyncio.sleep(start + SECONDS - time.time())
            cpu = process.cpu_seconds() - cpu
            leases_after, others_after = await writes(api)
            megabytes, highest = process.megabytes()
        return {
            "from": start,
            "to": start + SECONDS,
            "cpu": cpu,
            "megabytes": megabytes,
            "highest": highest,
            "leases": (leases_after - leases) * 60 / SECONDS,
            "writes": (others_after - others) * 60 / SECONDS,
        }
