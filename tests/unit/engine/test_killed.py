"""An hour of crontab lines, twice a minute, killed at random: each tick ends once, none runs twice."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import HistoryQuery
from timewright.storage.sqlite import SqliteStore

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTES = 60

APPLICATION = """
import asyncio, os, pathlib, sys
from timewright import Schedule, current_run

schedule = Schedule("hour")
trace = os.open(pathlib.Path(__file__).with_name("trace"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def note():
    run = current_run()
    os.write(trace, f"{run.task} {run.run_id}\\n".encode())

@schedule.task("* * * * *")
async def quick():
    note()

@schedule.task("* * * * *")
def in_thread():
    note()

@schedule.every_five_minutes().without_overlapping()
async def exclusive():
    note()
    await asyncio.sleep(0.05)

schedule.command(
    ["sh", "-c", 'echo "command $TIMEWRIGHT_RUN_ID" >> "$TRACE"']
).every_two_minutes().named("command")
"""

INVOKE = """
import datetime, sys
import hour
hour.schedule.run(at=datetime.datetime.fromisoformat(sys.argv[1]))
"""


_SOURCES = Path(__file__).parents[3] / "operator"


async def _invoke(folder: Path, at: datetime, kill_after: float | None) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        INVOKE,
        at.isoformat(),
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": f"{folder}:{_SOURCES}",
            "TIMEWRIGHT_STORE": f"sqlite://{folder / 'state.db'}",
            "TRACE": str(folder / "trace"),
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if kill_after is not None:
        await asyncio.sleep(kill_after)
        if process.returncode is None:
            process.kill()
    await process.wait()


async def _hour(folder: Path, chance: random.Random) -> None:
    await _invoke(folder, START, None)
    for minute in range(1, MINUTES):
        at = START + timedelta(minutes=minute)
        fates = [chance.uniform(0.0, 0.6) if chance.random() < 0.6 else None for _ in range(2)]
        await asyncio.gather(*(_invoke(folder, at, fate) for fate in fates))
    await _invoke(folder, START + timedelta(minutes=MINUTES), None)


@pytest.mark.parametrize("seed", [1])
async def test_each_tick_ends_exactly_once_and_none_runs_twice(tmp_path: Path, seed: int) -> None:
    (tmp_path / "hour.py").write_text(APPLICATION)
    await _hour(tmp_path, random.Random(seed))
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    runs = await store.history(HistoryQuery(limit=100_000))
    every = {"quick": 1, "in_thread": 1, "exclusive": 5, "command": 2}
    tasks = await store.load([f"hour/{name}" for name in every])
    await store.close()

    started = Counter(line for line in (tmp_path / "trace").read_text().splitlines())
    assert max(started.values()) == 1, "a tick ran twice"
    for name, step in every.items():
        own = sorted((run for run in runs if run.task == f"hour/{name}"), key=lambda run: run.scheduled_at)
        expected = [int((START + timedelta(minutes=minute)).timestamp()) for minute in range(0, MINUTES + 1, step)]
        assert [run.scheduled_at for run in own] == expected
        assert all(run.outcome is not None for run in own)
        assert Counter(run.outcome for run in own) == Counter(tasks[f"hour/{name}"].counters)
        for run in own:
            if run.outcome is Outcome.SUCCEEDED:
                assert started[f"{name} {run.run_id}"] == 1
            elif run.outcome is not Outcome.LOST:
                assert started[f"{name} {run.run_id}"] == 0
    told = Counter(run.outcome for run in runs)
    assert told[Outcome.SUCCEEDED] > told.total() / 2
