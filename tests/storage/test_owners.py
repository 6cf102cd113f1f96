"""Who is alive, and what becomes of what the dead had."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.storage.making import NOON, TASK, change, ended, living, record, run
from tests.storage.places import Place
from timewright.decisions.task_state import OpenPhase
from timewright.resources.vocabulary import Outcome
from timewright.storage.owner import new_owner
from timewright.storage.protocol import OwnershipLost, Store

LEASE = 0.3

WRITES: dict[str, Callable[[Store, str], Awaitable[object]]] = {
    "renew": lambda store, owner: store.renew(owner),
    "commit": lambda store, owner: store.commit(owner, [change(0, run(task="new"), task="new")]),
    "mark_started": lambda store, owner: store.mark_started(owner, [run(started_at=1.0)]),
    "finish": lambda store, owner: store.finish(owner, [ended()]),
    "acquire": lambda store, owner: store.acquire(owner, "lock", "run"),
}


async def proven(store: Store) -> list[bool]:
    return [each.proven for each in (await store.load([TASK]))[TASK].state.open_runs]


def test_no_two_owners_have_one_name() -> None:
    assert len({new_owner() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("write", [name for name in WRITES if name != "renew"])
async def test_an_owner_that_nobody_knows_writes_nothing(store: Store, write: str) -> None:
    with pytest.raises(OwnershipLost, match="nobody"):
        await WRITES[write](store, "nobody")
    assert (await store.load(["new"]))["new"].version == 0
    assert list(await store.locks()) == []


@pytest.mark.parametrize("write", WRITES)
async def test_an_owner_that_retired_writes_nothing(store: Store, write: str) -> None:
    owner = await living(store)
    await record(store, owner, run())
    await store.retire(owner)
    with pytest.raises(OwnershipLost, match=owner):
        await WRITES[write](store, owner)
    assert (await store.load(["new"]))["new"].version == 0
    assert list(await store.locks()) == []
    assert [each.phase for each in (await store.load([TASK]))[TASK].state.open_runs] == [OpenPhase.CLAIMED]


async def test_what_a_retired_owner_had_is_free(store: Store) -> None:
    owner, other = await living(store), await living(store, "other")
    await record(store, owner, run(), run(NOON + 60, phase=OpenPhase.QUEUED))
    await store.acquire(owner, "lock", "run")
    assert await proven(store) == [True, True]
    await store.retire(owner)
    assert await proven(store) == [False, True]
    assert list(await store.unattended()) == [TASK]
    assert await store.acquire(other, "lock", "other run") is not None


async def test_an_owner_that_ends_with_nothing_leaves_nothing(place: Place, store: Store) -> None:
    owner = await living(store)
    await store.retire(owner)
    await store.retire(owner)
    await store.retire("nobody")
    await living(store, "another")
    with pytest.raises(OwnershipLost):
        await store.renew(owner)


@pytest.mark.parametrize("write", WRITES)
async def test_a_lease_that_passed_ends_an_owner_once_somebody_has_seen_it(place: Place, write: str) -> None:
    short, long = await place.open(LEASE), await place.open()
    owner = await living(short)
    await record(short, owner, run())
    await short.acquire(owner, "lock", "run")
    assert await proven(long) == [True]
    await asyncio.sleep(2 * LEASE)
    assert await proven(long) == [False]
    with pytest.raises(OwnershipLost, match=owner):
        await WRITES[write](short, owner)
    assert await proven(long) == [False]


@pytest.mark.parametrize("look", ["load", "unattended", "acquire"])
async def test_whoever_looks_sees_it(place: Place, look: str) -> None:
    short, long = await place.open(LEASE), await place.open()
    owner, other = await living(short), await living(long, "other")
    await record(short, owner, run())
    await short.acquire(owner, "lock", "run")
    await asyncio.sleep(2 * LEASE)
    if look == "load":
        await long.load([TASK])
    elif look == "unattended":
        assert list(await long.unattended()) == [TASK]
    else:
        assert await long.acquire(other, "lock", "another run") is not None
    with pytest.raises(OwnershipLost):
        await short.renew(owner)


@pytest.mark.parametrize("write", WRITES)
async def test_a_late_owner_whom_nobody_missed_goes_on(place: Place, write: str) -> None:
    short, long = await place.open(LEASE), await place.open()
    owner = await living(short)
    await record(short, owner, run())
    await asyncio.sleep(2 * LEASE)
    short.lease_seconds = 3600.0
    assert await proven(short) == [True], "it is here itself"
    await WRITES[write](short, owner)
    await long.unattended()
    await short.renew(owner)


async def test_renewing_keeps_an_owner_alive(place: Place) -> None:
    short, long = await place.open(4 * LEASE), await place.open()
    owner = await living(short)
    await record(short, owner, run())
    for _ in range(8):
        await asyncio.sleep(LEASE)
        await short.renew(owner)
        assert await proven(long) == [True]


async def test_the_dead_do_not_come_back_when_they_are_forgotten(place: Place) -> None:
    short, long = await place.open(LEASE), await place.open()
    owner = await living(short)
    await asyncio.sleep(2 * LEASE)
    await long.unattended()
    await living(long, "another")  # clears away who has nothing any more
    with pytest.raises(OwnershipLost):
        await short.renew(owner)


async def test_a_run_of_a_dead_owner_is_decided_anew_and_for_good(place: Place) -> None:
    short, long = await place.open(LEASE), await place.open()
    owner, other = await living(short), await living(long, "other")
    await record(short, owner, run(), run(NOON + 60))
    await asyncio.sleep(2 * LEASE)
    await record(long, other, run(outcome=Outcome.LOST, reason="OwnerGone"), run(NOON + 60))
    with pytest.raises(OwnershipLost):
        await short.finish(owner, [ended(), ended(NOON + 60)])
    stored = (await long.load([TASK]))[TASK]
    assert (stored.counters, stored.last_outcome) == ({Outcome.LOST: 1}, Outcome.LOST)
    assert [(each.scheduled_at, each.proven) for each in stored.state.open_runs] == [(NOON + 60, True)]
    assert list(await long.finish(other, [ended(), ended(NOON + 60)])) == [False, True]


async def test_a_run_that_was_abandoned_is_no_longer_its_owners(store: Store) -> None:
    owner = await living(store)
    await record(store, owner, run(), run(NOON + 60), run(NOON + 120, phase=OpenPhase.QUEUED))
    assert await store.abandon(TASK, f"sync-{NOON}")
    assert not await store.abandon(TASK, "unknown")
    assert not await store.abandon(TASK, f"sync-{NOON + 120}"), "a queued one is nobody's"
    assert await proven(store) == [False, True, True]
    assert list(await store.finish(owner, [ended(), ended(NOON + 60)])) == [False, True]
    assert not await store.abandon(TASK, f"sync-{NOON + 60}"), "it has ended"
