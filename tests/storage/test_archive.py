"""The history of runs that are decided elsewhere, as a daemon writes it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.storage.making import NOON, ended
from tests.storage.places import PostgresqlPlace
from tests.storage.server import Server
from timewright.resources.vocabulary import Outcome
from timewright.storage.location import archive_of
from timewright.storage.postgresql.archive import Archive
from timewright.storage.protocol import HistoryQuery, StoreError, UnfitError

KEY = "shop/sync"


@pytest.fixture
async def place(postgresql: Server) -> AsyncIterator[PostgresqlPlace]:
    empty = PostgresqlPlace(postgresql)
    yield empty
    await empty.close()


@pytest.fixture
async def archive(place: PostgresqlPlace) -> AsyncIterator[Archive]:
    made = archive_of(place.url)
    yield made
    await made.close()


async def test_what_is_recorded_is_what_commands_of_a_store_show(place: PostgresqlPlace, archive: Archive) -> None:
    runs = [ended(NOON + second, "uid") for second in range(1200)]
    failed = ended(NOON + 5000, "uid", Outcome.FAILED, reason="Exception", message="a\0b", output="ü" * 100)
    assert await archive.record([(KEY, run) for run in (*runs, failed)]) == 1201
    store = await place.open()
    found = await store.history(HistoryQuery(tasks=[KEY], limit=5000))
    assert [run.scheduled_at for run in found] == sorted((run.scheduled_at for run in (*runs, failed)), reverse=True)
    assert (found[0].outcome, found[0].output, found[0].message) == (Outcome.FAILED, "ü" * 100, "a\ufffdb")
    stored = (await store.load([KEY]))[KEY]
    assert stored.counters == {Outcome.SUCCEEDED: 1200, Outcome.FAILED: 1}
    assert stored.last_outcome is Outcome.FAILED
    assert list(await store.unattended()) == []


async def test_a_run_that_is_given_again_is_neither_doubled_nor_counted_twice(
    place: PostgresqlPlace, archive: Archive
) -> None:
    runs = [(KEY, ended(NOON + second, "uid")) for second in range(10)]
    assert await archive.record(runs[:6]) == 6
    assert await archive.record([*runs, runs[0]]) == 4
    store = await place.open()
    assert len(await store.history(HistoryQuery(limit=100))) == 10
    assert (await store.load([KEY]))[KEY].counters == {Outcome.SUCCEEDED: 10}


async def test_who_tells_less_of_a_run_does_not_replace_who_tells_more(
    place: PostgresqlPlace, archive: Archive
) -> None:
    whole = ended(task="uid", output="all of it")
    thin = ended(task="uid", started_at=None, finished_at=None)
    store = await place.open()
    for first, second in ((whole, thin), (thin, whole)):
        await archive.remove("", NOON + 1, 100)
        await archive.record([(KEY, first)])
        assert await archive.record([(KEY, second)]) == 0
        (found,) = await store.history(HistoryQuery())
        assert (found.output, found.started_at) == ("all of it", whole.started_at)


async def test_two_that_record_the_same_at_once_record_it_once(place: PostgresqlPlace, archive: Archive) -> None:
    runs = [(f"shop/task-{number % 7}", ended(NOON + number, "uid")) for number in range(500)]
    other = archive_of(place.url)
    added = await asyncio.gather(archive.record(runs), other.record(runs[::-1]))
    await other.close()
    assert sum(added) == 500
    store = await place.open()
    assert len(await store.history(HistoryQuery(limit=1000))) == 500


async def test_removing_takes_the_oldest_of_one_namespace(place: PostgresqlPlace, archive: Archive) -> None:
    await archive.record([(KEY, ended(NOON + second, "uid")) for second in range(10)])
    await archive.record([("shop-2/sync", ended(NOON, "other"))])
    assert await archive.remove("shop/", NOON + 5, 3) == 3
    assert await archive.remove("shop/", NOON + 5, 3) == 2
    assert await archive.remove("shop/", NOON + 5, 3) == 0
    store = await place.open()
    left = {(run.task, run.scheduled_at - NOON) for run in await store.history(HistoryQuery(limit=100))}
    assert left == {(KEY, 5), (KEY, 6), (KEY, 7), (KEY, 8), (KEY, 9), ("shop-2/sync", 0)}
    assert (await store.load([KEY]))[KEY].counters == {Outcome.SUCCEEDED: 10}, "counters stay exact"


async def test_what_can_never_be_recorded_is_told_apart_from_a_server_that_is_away(
    postgresql: Server, place: PostgresqlPlace
) -> None:
    archive = Archive(place.url, timeout=2.0)
    with pytest.raises(UnfitError):
        await archive.record([(KEY, ended(task="uid", exit_code=2**70))])
    with postgresql.away():
        with pytest.raises(StoreError) as caught:
            await archive.record([(KEY, ended(task="uid"))])
        assert not isinstance(caught.value, UnfitError)
    assert await archive.record([(KEY, ended(task="uid"))]) == 1
    await archive.close()


@pytest.mark.parametrize("url", ["sqlite:///tmp/x", "postgresql:host", "memory:", "user:secret@host"])
def test_an_archive_is_a_postgresql_database(url: str) -> None:
    with pytest.raises(StoreError, match="names no PostgreSQL database") as caught:
        archive_of(url)
    assert "secret" not in str(caught.value)
