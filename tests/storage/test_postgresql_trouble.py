"""A server that goes away, hangs, refuses, or answers into the void."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import psycopg
import pytest

from tests.storage.making import NOON, TASK, change, ended, living, record, run
from tests.storage.places import LONG, PostgresqlPlace
from tests.storage.server import Server
from timewright.storage.postgresql import PostgresqlStore
from timewright.storage.protocol import StoreError

QUICK = 1.0
"""For how many seconds a store waits in tests in which it waits in vain."""


@pytest.fixture
async def place(postgresql: Server) -> AsyncIterator[PostgresqlPlace]:
    empty = PostgresqlPlace(postgresql)
    yield empty
    await empty.close()


@pytest.fixture
async def store(place: PostgresqlPlace) -> AsyncIterator[PostgresqlStore]:
    opened = PostgresqlStore(place.url, lease_seconds=LONG, timeout=QUICK)
    await opened.open()
    yield opened
    await opened.close()


CALLS: dict[str, Callable[[PostgresqlStore], Awaitable[object]]] = {
    "open": lambda store: store.open(),
    "renew": lambda store: store.renew("somebody"),
    "load": lambda store: store.load([TASK]),
    "commit": lambda store: store.commit("somebody", [change(1)]),
    "finish": lambda store: store.finish("somebody", [ended()]),
    "locks": lambda store: store.locks(),
}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_that_is_away_is_told_and_found_again(
    postgresql: Server, store: PostgresqlStore, how: signal.Signals
) -> None:
    owner = await living(store)
    await record(store, owner, run())
    with postgresql.away(how):
        for call in CALLS.values():
            with pytest.raises(StoreError, match=r"the store postgresql://timewright@/postgres .*server is up"):
                await call(store)
    assert [each.proven for each in (await store.load([TASK]))[TASK].state.open_runs] == [True]
    assert list(await store.finish(owner, [ended()])) == [True]


@pytest.mark.parametrize("call", CALLS)
async def test_a_connection_that_was_lost_while_idle_is_no_matter(
    postgresql: Server, store: PostgresqlStore, call: str
) -> None:
    await record(store, await living(store), run())
    postgresql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'timewright'",
        # The client learns of it when it asks next, whatever the server has done until then.
        "SELECT pg_sleep(0.1)",
    )
    await CALLS[call](store)


async def test_who_waits_for_a_lock_too_long_is_told(place: PostgresqlPlace, store: PostgresqlStore) -> None:
    owner = await living(store)
    await record(store, owner, run())
    with psycopg.connect(place.url) as other:
        other.execute("SELECT FROM timewright.tasks FOR UPDATE")
        with pytest.raises(StoreError, match="did not answer within 1 s"):
            await store.commit(owner, [change(1, run(NOON + 60))])
    assert list(await store.commit(owner, [change(1, run(NOON + 60))])) == [True]


async def test_an_owner_that_is_writing_is_alive_though_its_lease_has_passed(place: PostgresqlPlace) -> None:
    late, other = await place.open(0.3), await place.open()
    owner = await living(late)
    await record(late, owner, run())
    await asyncio.sleep(0.6)
    late.lease_seconds = LONG
    with psycopg.connect(place.url) as blocking:
        blocking.execute("SELECT FROM timewright.tasks FOR UPDATE")
        writing = asyncio.ensure_future(late.finish(owner, [ended()]))
        while not place.server.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            assert not writing.done()
            await asyncio.sleep(0.01)
        assert [each.proven for each in (await other.load([TASK]))[TASK].state.open_runs] == [True]
    assert list(await writing) == [True]
    await late.renew(owner)


async def test_a_server_that_hangs_does_not_hang_its_clients(postgresql: Server, store: PostgresqlStore) -> None:
    owner = await living(store)
    await record(store, owner, run())
    ((pid,),) = postgresql.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'timewright'")
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreError, match="did not answer within 1 s"):
            await store.finish(owner, [ended()])
        assert (await store.load([TASK]))[TASK].state.open_runs, "by a new connection"
    finally:
        os.kill(pid, signal.SIGCONT)
    assert list(await store.finish(owner, [ended()])) == [True]


async def test_what_a_session_holds_is_bounded_by_the_server(place: PostgresqlPlace, store: PostgresqlStore) -> None:
    async def held(connection: psycopg.AsyncConnection[tuple[str]]) -> list[str]:
        settings = []
        for name in (b"statement_timeout", b"idle_in_transaction_session_timeout"):
            settings += [value async for (value,) in await connection.execute(b"SHOW " + name)]
        return settings

    assert await store._connection.transaction(held) == ["1s", "1s"]


class Relay:
    """Between a client and the server: it can let go of the client while the server notices nothing."""

    def __init__(self, server: Path, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._clients: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return f"postgresql://timewright@/postgres?host={self._folder}"

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_unix_server(self._meet, self._folder / self._server.name)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang_up(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        self._clients.append(writer)
        self._tasks += [
            asyncio.ensure_future(_pass(reader, to_server)),
            asyncio.ensure_future(_pass(from_server, writer)),
        ]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(65536):
        if not writer.is_closing():
            writer.write(some)


async def test_a_claim_whose_answer_is_lost_is_taken_back(place: PostgresqlPlace, postgresql: Server) -> None:
    plain = await place.open()
    postgresql.execute(
        "CREATE FUNCTION timewright.slowly() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON timewright.runs DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION timewright.slowly()",
    )
    with TemporaryDirectory() as folder:
        async with Relay(postgresql.socket, Path(folder)) as relay:
            store = PostgresqlStore(relay.url, lease_seconds=LONG)
            owner = await living(store)
            asking = asyncio.ensure_future(store.commit(owner, [change(0, run())]))
            while not postgresql.execute(
                "SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'PgSleep' AND state = 'active'"
            ):
                assert not asking.done()
                await asyncio.sleep(0.01)
            relay.hang_up()
            with pytest.raises(StoreError):
                await asking
            assert (await plain.load([TASK]))[TASK].version == 0, "the server is still at it"
            known = (await store.load([TASK]))[TASK]
            assert known.version == 1
            assert [each.proven for each in known.state.open_runs] == [False]
            assert list(await store.finish(owner, [ended()])) == [False]
            await store.renew(owner)
            await store.close()


async def test_a_user_who_may_not_make_a_schema_is_told_and_given_one_works(place: PostgresqlPlace) -> None:
    server = place.server
    server.execute("DROP ROLE IF EXISTS tenant", "CREATE ROLE tenant LOGIN")
    store = PostgresqlStore(server.url(user="tenant"))
    with pytest.raises(
        StoreError, match=r"permission denied.*Grant this user CREATE on the database, or make a schema"
    ):
        await store.open()
    server.execute("CREATE SCHEMA timewright AUTHORIZATION tenant")
    await record(store, await living(store), run())
    await store.close()
    server.execute("DROP SCHEMA timewright CASCADE", "DROP ROLE tenant")


async def test_a_schema_of_a_later_version_is_left_alone(place: PostgresqlPlace, store: PostgresqlStore) -> None:
    place.server.execute("UPDATE timewright.schema_version SET version = 99")
    with pytest.raises(StoreError, match=r"version 99.*Upgrade Timewright"):
        await PostgresqlStore(place.url).open()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cr%2Ft@/postgres?host=/nowhere/at/all",
        "postgresql://user:s3cr%2Ft@127.0.0.1:1/postgres",
        "postgresql://127.0.0.1:1/postgres?user=user&password=s3cr%2Ft",
        "postgresql://user:s3cr%zzt@127.0.0.1:1/postgres",
        "postgresql://user:s3cr/t@127.0.0.1:1/postgres",
        "postgresql://user:s3cr?t@127.0.0.1:1/postgres",
        "postgresql://user:s3cr@t@127.0.0.1:1/postgres",
        "postgresql://user:pass@127.0.0.1:1/postgres?passwort=s3cr",
    ],
)
async def test_no_message_tells_a_password(url: str) -> None:
    store = PostgresqlStore(url, timeout=QUICK)
    with pytest.raises(StoreError) as raised:
        await store.open()
    assert "s3cr" not in store.name
    assert "s3cr" not in str(raised.value)
    assert str(raised.value).startswith("the store postgresql://")


async def test_a_password_that_the_server_repeats_is_masked(place: PostgresqlPlace) -> None:
    # Here it is the name of the database, which the server tells is missing.
    store = PostgresqlStore(place.server.url("s3cr").replace("timewright@", "timewright:s3cr@"))
    with pytest.raises(StoreError, match='database "…" does not exist'):
        await store.open()
