"""Several processes on one store, some of which are killed, or stopped for too long."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.storage.making import NOON, TASK, living
from tests.storage.places import LONG, Place
from tests.storage.process import Process
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import HistoryQuery, Store

SHORT = 3.0
PATIENCE = 30.0


Start = Callable[[str, float], Process]


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    started = []

    def begin(owner: str, lease_seconds: float) -> Process:
        started.append(Process(place.url, lease_seconds, owner))
        return started[-1]

    yield begin
    for process in started:
        process.kill()


async def until(condition: Callable[[], Any], within: float) -> bool:
    """Ask again and again; tell whether the answer was yes in time."""
    give_up_at = time.monotonic() + within
    while time.monotonic() < give_up_at:
        if await condition():
            return True
        await asyncio.sleep(0.02)
    return False


async def test_two_processes_claim_each_tick_once(start: Start, store: Store) -> None:
    count = 200
    processes = [start(f"process {number}", LONG) for number in range(2)]
    for process in processes:
        process.call("renew")
    for process in processes:
        process.ask("race", count)
    won = [process.answer()["result"] for process in processes]
    assert sorted(won[0] + won[1]) == list(range(NOON, NOON + count))
    stored = (await store.load([TASK]))[TASK]
    assert (stored.version, stored.counters, stored.state.open_runs) == (count, {Outcome.SUCCEEDED: count}, ())
    assert len(await store.history(HistoryQuery(limit=2 * count))) == count


async def test_what_a_killed_process_held_is_free(start: Start, store: Store, place: Place) -> None:
    other = await living(store, "other")
    process = start("killed", LONG if place.sees_processes else SHORT)
    process.call("renew")
    assert process.call("claim", NOON)
    assert process.call("acquire", "lock")
    assert (await store.load([TASK]))[TASK].state.open_runs[0].proven
    assert await store.acquire(other, "lock", "run") is None
    process.kill()

    async def is_free() -> bool:
        return await store.acquire(other, "lock", "run") is not None

    # The one that sees processes need not wait for the lease, which would be longer than this.
    assert await until(is_free, within=PATIENCE)
    assert list(await store.unattended()) == [TASK]
    assert not (await store.load([TASK]))[TASK].state.open_runs[0].proven


async def test_a_process_that_stopped_for_longer_than_its_lease_is_refused(start: Start, store: Store) -> None:
    other = await living(store, "other")
    process = start("stopped", SHORT)
    process.call("renew")
    assert process.call("claim", NOON)
    assert process.call("acquire", "lock")
    process.signal(signal.SIGSTOP)
    assert (await store.load([TASK]))[TASK].state.open_runs[0].proven, "it may go on in time"

    async def is_free() -> bool:
        return await store.acquire(other, "lock", "run") is not None

    assert await until(is_free, within=PATIENCE)
    process.signal(signal.SIGCONT)
    assert process.refusal("finish", NOON) == "OwnershipLost"
    assert process.refusal("claim", NOON + 60) == "OwnershipLost"
    assert process.refusal("renew") == "OwnershipLost"
    assert process.call("release", "lock") is False
    assert [lock.owner for lock in await store.locks()] == ["other"]
    assert (await store.load([TASK]))[TASK].counters == {}


async def test_processes_that_come_at_once_make_one_schema(start: Start, place: Place) -> None:
    processes = [start(f"process {number}", LONG) for number in range(4)]
    for process in processes:
        process.call("ready")
    for process in processes:
        process.ask("open")
    for process in processes:
        assert process.answer() == {"result": None}
    for number, process in enumerate(processes):
        process.call("renew")
        assert process.call("claim", NOON + number)
    assert (await (await place.open()).load([TASK]))[TASK].version == len(processes)
