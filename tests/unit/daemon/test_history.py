"""Every run that ends, on its way into a database: batches, what is kept while it is away, and what is given up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.daemon import history as module
from timewright.daemon.history import Destination, FullHistory
from timewright.daemon.known import Known
from timewright.desired.runner_image import RunnerImage
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import StoreError, UnfitError
from timewright.storage.records import RunRecord


class Recorder:
    """Keeps what it is given, unless it is away."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], RunRecord] = {}
        self.batches: list[int] = []
        self.away = self.answer_is_lost = self.hangs = False
        self.unfit: set[str] = set()
        self.removed: list[tuple[str, int, int]] = []
        self.left = 0

    async def record(self, runs: Sequence[tuple[str, RunRecord]]) -> int:
        await asyncio.sleep(3600 if self.hangs else 0)
        if self.away:
            raise StoreError("the server is away")
        if self.unfit & {run.run_id for _, run in runs}:
            raise UnfitError("a number is out of range")
        before = len(self.found)
        self.found |= {(key, run.run_id): run for key, run in runs}
        self.batches.append(len(runs))
        if self.answer_is_lost:
            raise StoreError("the connection was lost")
        return len(self.found) - before

    async def remove(self, key_prefix: str, before: int, most: int) -> int:
        self.removed.append((key_prefix, before, most))
        removed, self.left = min(self.left, most), max(0, self.left - most)
        return removed

    async def close(self) -> None:
        pass


def made(recorder: Recorder, **settings: int) -> FullHistory:
    known = Known("shop", "default", RunnerImage("timewright:1"))
    history = FullHistory(known, Destination(lambda: recorder, **settings), clock=lambda: 10_000.0)
    history.learn("uid", "sync")
    return history


def run(number: int, **fields: object) -> RunRecord:
    return RunRecord("uid", f"sync-{number}", number, outcome=Outcome.SUCCEEDED, **fields)  # type: ignore[arg-type]


async def test_runs_are_written_in_batches_under_the_name_of_their_task() -> None:
    recorder = Recorder()
    history = made(recorder)
    for number in range(module.BATCH + 10):
        history.note(run(number))
    assert await history.flush()
    assert recorder.batches == [module.BATCH, 10]
    assert {key for key, _ in recorder.found} == {"shop/sync"}
    assert history.state().waiting == history.state().dropped == 0


async def test_what_cannot_be_written_is_kept_in_order_and_written_later() -> None:
    recorder = Recorder()
    history = made(recorder)
    recorder.away = True
    for number in range(3):
        history.note(run(number))
    assert not await history.flush()
    history.note(run(3))
    assert (history.state().waiting, history.state().trouble) == (4, "the server is away")
    recorder.away = False
    assert await history.flush()
    assert [run_id for _, run_id in recorder.found] == [f"sync-{number}" for number in range(4)]
    assert history.state().trouble is None


async def test_a_batch_whose_answer_was_lost_is_written_again() -> None:
    recorder = Recorder()
    history = made(recorder)
    recorder.answer_is_lost = True
    history.note(run(1))
    assert not await history.flush()
    recorder.answer_is_lost = False
    assert await history.flush()
    assert len(recorder.found) == 1


async def test_beyond_what_is_kept_the_oldest_are_given_up_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RUNS", 5)
    recorder = Recorder()
    history = made(recorder)
    for number in range(8):
        history.note(run(number))
    assert (history.waiting, history.dropped) == (5, 3)
    await history.flush()
    assert [run_id for _, run_id in recorder.found] == [f"sync-{number}" for number in range(3, 8)]


async def test_long_outputs_are_given_up_before_many_runs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHARACTERS", 250)
    recorder = Recorder()
    history = made(recorder)
    for number in range(4):
        history.note(run(number, output="x" * 100))
    assert (history.waiting, history.dropped) == (2, 2)
    await history.flush()
    for number in range(4, 6):
        history.note(run(number, output="x" * 100))
    assert history.dropped == 2, "what is written takes no room any more"


async def test_one_that_can_never_be_written_does_not_keep_the_others_from_it() -> None:
    recorder = Recorder()
    recorder.unfit = {"sync-2"}
    history = made(recorder)
    for number in range(5):
        history.note(run(number))
    await history.flush()
    await history.flush()
    assert [run_id for _, run_id in recorder.found] == ["sync-0", "sync-1", "sync-3", "sync-4"]
    assert history.dropped == 1
    history.note(run(5))
    history.note(run(6))
    await history.flush()
    assert recorder.batches[-1] == 2, "and then they go by batches again"


async def test_who_ends_writes_what_is_left_and_counts_what_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    recorder = Recorder()
    history = made(recorder)
    for number in range(5):
        history.note(run(number))
    await history.close()
    assert len(recorder.found) == 5
    recorder.away = True
    history.note(run(6))
    await history.close()
    assert history.dropped == 1


async def test_a_status_waits_for_what_has_ended_but_not_for_a_database_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "AHEAD_SECONDS", 0.05)
    recorder = Recorder()
    history = made(recorder)
    history.note(run(1))
    await history.keep_ahead()
    assert len(recorder.found) == 1
    recorder.hangs = True
    history.note(run(2))
    await history.keep_ahead()
    assert "did not answer" in (history.state().trouble or "")
    assert history.waiting == 1, "and what was on its way is kept"
    recorder.hangs = False
    await history.keep_ahead()
    assert history.waiting == 1, "while there is trouble nothing waits"
    await history.flush()
    assert len(recorder.found) == 2


async def test_a_batch_that_is_interrupted_is_not_lost() -> None:
    recorder = Recorder()
    history = made(recorder)
    history.note(run(1))
    writing = asyncio.ensure_future(history.flush())
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await history.close()
    assert len(recorder.found) == 1


async def test_what_is_too_old_is_removed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.01)
    monkeypatch.setattr(module, "_PRUNE_SECONDS", 0.1)
    recorder = Recorder()
    recorder.left = 12_000
    history = made(recorder, max_age=1_000)
    history.note(run(1))
    running = asyncio.ensure_future(history.run())
    await until(lambda: len(recorder.removed) >= 3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert recorder.removed[:3] == [("shop/", 9_000, 5_000)] * 3
    assert recorder.left == 0


async def test_without_a_driver_or_a_proper_url_runs_are_kept_and_it_is_told() -> None:
    def refuse() -> Recorder:
        raise StoreError("names no database")

    known = Known("shop", "default", RunnerImage("timewright:1"))
    history = FullHistory(known, Destination(refuse))
    history.note(run(1))
    assert not await history.flush()
    assert history.state().trouble == "names no database"
    assert history.waiting == 1


async def test_without_the_secret_of_the_database_tasks_run_and_it_is_told() -> None:
    cluster = LiveCluster()
    cluster.daemon_task(command=None, python={"call": "tests.unit.daemon.tasks:note"})
    async with Replica(cluster, store_source="database/url") as replica:
        await until(lambda: cluster.status().get("counters", {}).get("succeeded"))
        history = replica.process.leader.history if replica.process.leader else None
        assert history is not None
        state = await until(lambda: history.state() if history.state().trouble else None)
        assert state is not None
        assert "'url' of Secret 'database'" in str(state.trouble)
        assert state.waiting
        assert not state.dropped


def test_a_daemon_without_a_database_loads_no_driver() -> None:
    code = "import sys, timewright.daemon.main; print('psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
