"""Tasks whose runs are Jobs, all due in the same minute: until all Jobs exist, beside the native controller."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.daemon.place import (
    NAMESPACE,
    TUNED,
    Api,
    connect,
    control_plane,
    create_all,
    daemon,
    quantile,
    task,
)
from benchmarks.daemon.table import Table

from timewright.cluster.api import CRON_JOBS, JOBS, SCHEDULED_TASKS
from timewright.cluster.streaming import watch

PATIENCE_SECONDS = 100.0
TARGET_SECONDS = 1.5

JOB_TEMPLATE = {
    "spec": {
        "template": {
            "spec": {
                "restartPolicy": "OnFailure",
                "containers": [{"name": "hello", "image": "busybox:1.28", "command": ["/bin/sh", "-c", "date"]}],
            }
        }
    }
}


def measure(table: Table, folder: Path, number: int) -> None:
    """Measure ourselves and the native controller, each on a fresh control plane, with and without its flags."""
    ours: list[float] = []
    for flags, which in ((TUNED, "tuned"), ((), "default")):
        for native in (False, True):
            with control_plane(flags):
                delays = asyncio.run(_one(folder, number, native=native))
            name = f"native controller, {which}" if native else f"timewright, controllers {which}"
            if not native and not ours:
                ours = delays
            missing = number - len(delays)
            note = f"{len(delays):,} of {number:,} Jobs" + (f", {missing:,} not within 100 s" if missing else "")
            table.delays(name, delays, ours, note)
            if not native and which == "tuned":
                table.target(
                    f"{number:,} Jobs due in one minute: p99 ≤ {TARGET_SECONDS} s",
                    not missing and quantile(delays, 0.99) <= TARGET_SECONDS,
                )


async def _one(folder: Path, number: int, *, native: bool) -> list[float]:
    async with await connect() as api:
        lead = 30 if time.time() % 60 < 25 else 90
        due = (int(time.time()) + lead) // 60 * 60 + 60
        at = datetime.fromtimestamp(due, UTC)
        schedule = f"{at.minute} {at.hour} * * *"
        watching = asyncio.ensure_future(_arrivals(api, due, number))
        if native:
            await create_all(api, CRON_JOBS, (_cron_job(f"task-{each}", schedule) for each in range(number)))
            return await watching
        bodies = (
            task(f"task-{each}", schedule=schedule, timeZone="UTC", jobTemplate=JOB_TEMPLATE) for each in range(number)
        )
        await create_all(api, SCHEDULED_TASKS, bodies)
        with daemon(folder) as process:
            await process.wait_ready()
            return await watching


async def _arrivals(api: Api, due: int, number: int) -> list[float]:
    """Return how late each Job came to be seen, until all have, or nobody can wait any longer."""
    delays: list[float] = []
    listed = await api._request("GET", JOBS, JOBS.path(NAMESPACE))
    version = listed["metadata"]["resourceVersion"]

    async def follow() -> None:
        nonlocal version
        while len(delays) < number:  # the API server ends the watch of who cannot keep up
            events = watch(api, JOBS, NAMESPACE, label_selector="", version=version, seconds=600, silence=600)
            async for kind, body in events:
                version = body["metadata"]["resourceVersion"]
                if kind == "ADDED":
                    delays.append(time.time() - due)
                    if len(delays) == number:
                        return

    following = asyncio.ensure_future(follow())
    await asyncio.wait([following], timeout=due + PATIENCE_SECONDS - time.time())
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return delays


def _cron_job(name: str, schedule: str) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"schedule": schedule, "timeZone": "UTC", "jobTemplate": JOB_TEMPLATE},
    }
