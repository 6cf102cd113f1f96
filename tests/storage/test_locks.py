"""Locks belong to their owners, and tokens grow."""

import asyncio

from tests.storage.making import living
from tests.storage.places import Place
from timewright.storage.granting import Blocked, Demand
from timewright.storage.protocol import Lock, Store


async def test_a_lock_has_one_holder(store: Store) -> None:
    first, second = await living(store, "first"), await living(store, "second")
    taken = await store.acquire(first, "lock", "run 1")
    assert taken is not None
    assert taken == Lock("lock", "first", "run 1", taken.token, taken.acquired_at, True)
    assert await store.acquire(second, "lock", "run 2") is None
    assert await store.acquire(first, "lock", "run 3") is None, "its owner has it for another run"
    assert await store.acquire(second, "another lock", "run 2") is not None
    assert [(lock.name, lock.owner) for lock in await store.locks()] == [("another lock", "second"), ("lock", "first")]


async def test_asking_again_is_answered_with_what_one_has(store: Store) -> None:
    owner = await living(store)
    taken = await store.acquire(owner, "lock", "run")
    assert await store.acquire(owner, "lock", "run") == taken
    assert len(await store.locks()) == 1


async def test_nobody_releases_what_another_holds(store: Store) -> None:
    first, second = await living(store, "first"), await living(store, "second")
    await store.acquire(first, "lock", "run")
    assert not await store.release(second, "lock", "run")
    assert not await store.release(first, "lock", "another run")
    assert not await store.release("nobody", "lock", "run")
    assert len(await store.locks()) == 1
    assert await store.release(first, "lock", "run")
    assert not await store.release(first, "lock", "run"), "it did so before"
    assert list(await store.locks()) == []
    assert await store.acquire(second, "lock", "run") is not None


async def test_the_later_holder_has_the_higher_token(place: Place, store: Store) -> None:
    owner = await living(store)
    tokens = []
    for number in range(5):
        taken = await store.acquire(owner, "lock", f"run {number}")
        assert taken is not None
        tokens.append(taken.token)
        await store.release(owner, "lock", f"run {number}")
    reopened = await place.open()
    taken = await reopened.acquire(owner, "lock", "last")
    assert taken is not None
    assert sorted({*tokens, taken.token}) == [*tokens, taken.token]


async def test_a_semaphore_has_so_many_places(store: Store) -> None:
    first, second = await living(store, "first"), await living(store, "second")
    places = [await store.acquire(first, "database", f"run {number}", places=3) for number in range(3)]
    assert len({place.token for place in places if place is not None}) == 3
    assert await store.acquire(second, "database", "run 4", places=3) is None
    assert await store.release(first, "database", "run 1")
    assert await store.acquire(second, "database", "run 4", places=3) is not None
    assert await store.acquire(second, "database", "run 5", places=3) is None
    assert await store.acquire(second, "database", "run 5", places=4) is not None
    assert await store.acquire(second, "database", "run 6", places=1) is None, "more are taken than there are now"


async def test_many_who_ask_at_once_get_as_many_places_as_there_are(place: Place) -> None:
    stores = [await place.open() for _ in range(5)]
    for number, store in enumerate(stores):
        await living(store, f"owner {number}")
    for attempt in range(10):
        asked = [store.acquire(f"owner {number}", "lock", f"run {attempt}", 2) for number, store in enumerate(stores)]
        taken = [lock for lock in await asyncio.gather(*asked) if lock is not None]
        assert len({lock.token for lock in taken}) == len(taken) == 2
        for lock in taken:
            assert await stores[0].release(lock.owner, "lock", lock.holder)


async def test_a_person_can_break_a_lock(store: Store) -> None:
    owner, other = await living(store), await living(store, "other")
    taken = await store.acquire(owner, "lock", "run")
    assert taken is not None
    assert not await store.break_lock("lock", taken.token + 1)
    assert not await store.break_lock("another lock", taken.token)
    assert await store.break_lock("lock", taken.token)
    assert not await store.break_lock("lock", taken.token)
    assert await store.acquire(other, "lock", "another run") is not None
    assert not await store.release(owner, "lock", "run")
    assert [lock.owner for lock in await store.locks()] == ["other"]


async def test_locks_of_the_dead_are_told_apart_and_free(place: Place) -> None:
    short, long = await place.open(0.3), await place.open()
    dying, other = await living(short, "dying"), await living(long, "other")
    await short.acquire(dying, "lock", "run")
    await long.acquire(other, "another lock", "run")
    await asyncio.sleep(0.6)
    assert [(lock.owner, lock.alive) for lock in await long.locks()] == [("other", True), ("dying", False)]
    taken = await long.acquire(other, "lock", "another run")
    assert taken is not None
    assert not await short.release(dying, "lock", "run")
    assert [(lock.owner, lock.alive) for lock in await long.locks()] == [("other", True), ("other", True)]


async def test_all_or_none(store: Store) -> None:
    first, second = await living(store, "first"), await living(store, "second")
    assert list(await store.acquire_all(first, [Demand("run 1", {"till": 1})])) == [None]
    both = Demand("run 2", {"till": 1, "office": 1})
    assert list(await store.acquire_all(second, [both])) == [Blocked("till", "run 1 elsewhere")]
    assert [lock.name for lock in await store.locks()] == ["till"], "nothing was taken of the other one"
    await store.release(first, "till", "run 1")
    assert list(await store.acquire_all(second, [both, Demand("run 3", {"office": 1})])) == [
        None,
        Blocked("office", "run 2"),
    ]
    assert list(await store.acquire_all(second, [both])) == [None], "it has them"
    assert len(await store.locks()) == 2


async def test_many_who_ask_for_many_locks_at_once_never_hold_too_many(place: Place) -> None:
    stores = [await place.open() for _ in range(3)]
    owners = [await living(store, f"owner {number}") for number, store in enumerate(stores)]
    wanted = [{"till": 1, "office": 1}, {"office": 1, "yard": 1}, {"yard": 1, "till": 1}]
    for attempt in range(10):
        demands = [Demand(f"run {attempt}", slots) for slots in wanted]
        asked = [
            store.acquire_all(owner, [demands[at]])
            for at, (store, owner) in enumerate(zip(stores, owners, strict=True))
        ]
        answers = [answer for (answer,) in await asyncio.gather(*asked)]
        held = [(lock.name, lock.owner) for lock in await stores[0].locks()]
        assert answers.count(None) == 1, "any two of them want the same lock, and one gets it"
        winner = answers.index(None)
        assert sorted(name for name, _ in held) == sorted(wanted[winner])
        for name in wanted[winner]:
            await stores[winner].release(owners[winner], name, f"run {attempt}")


async def test_the_dead_hold_nothing_that_others_want(store: Store) -> None:
    dead, other = await living(store, "dead"), await living(store, "other")
    await store.acquire_all(dead, [Demand("run 1", {"till": 1, "office": 1})])
    await store.retire(dead)
    assert list(await store.acquire_all(other, [Demand("run 1", {"till": 1, "office": 1})])) == [None]
