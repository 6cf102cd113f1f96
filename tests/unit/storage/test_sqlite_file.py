"""The file of the store for one machine: how it is made, shared, damaged, removed and filled up."""

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.storage.making import NOON, TASK, change, ended, living, record, run
from tests.storage.places import LONG
from tests.storage.process import Process
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import HistoryQuery, OwnershipLost, Retention, StoreError
from timewright.storage.records import Pause
from timewright.storage.sqlite import SqliteStore

CALLS: dict[str, Callable[[SqliteStore], Awaitable[object]]] = {
    "renew": lambda store: store.renew("somebody"),
    "load": lambda store: store.load([TASK]),
    "commit": lambda store: store.commit("somebody", [change(1, run(NOON + 60))]),
    "history": lambda store: store.history(HistoryQuery()),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "timewright" / "state.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(path, lease_seconds=LONG, busy_timeout=0.3)
    await opened.open()
    yield opened
    await opened.close()


async def test_the_file_is_for_its_user_alone(path: Path, store: SqliteStore) -> None:
    await record(store, await living(store), run())
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["state.db", "state.db-shm", "state.db-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_exists_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    asyncio.run(open_and_close(SqliteStore(tmp_path / "state.db")))
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


async def open_and_close(store: SqliteStore) -> None:
    await store.open()
    await store.close()


async def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("state.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await store.open()
    await store.close()
    assert (tmp_path / "state.db").exists()


async def test_memory_is_a_store_as_well() -> None:
    store = SqliteStore(":memory:")
    await record(store, await living(store), run())
    assert (await store.load([TASK]))[TASK].version == 1
    assert store.name == "memory:"
    await store.close()


async def test_claims_are_on_the_disk_before_anybody_starts_them(store: SqliteStore) -> None:
    statements: list[str] = []
    owner = await living(store)
    assert store._connection._open is not None
    store._connection._open.set_trace_callback(statements.append)

    async def durability(call: Awaitable[object]) -> str:
        await call
        settings = [statement for statement in statements if statement.startswith("PRAGMA synchronous")]
        return settings[-1].split()[-1]

    assert await durability(store.commit(owner, [change(0, run())])) == "FULL"
    assert await durability(store.finish(owner, [ended()])) == "NORMAL"
    assert await durability(store.acquire(owner, "lock", "run")) == "FULL"
    assert await durability(store.renew(owner)) == "NORMAL"
    assert await durability(store.set_pause(TASK, Pause())) == "FULL"
    assert await durability(store.prune({TASK: Retention()})) == "NORMAL"
    assert await durability(store.abandon(TASK, "unknown")) == "FULL"


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="database of some other program"):
        asyncio.run(open_and_close(SqliteStore(path)))
    assert path.read_bytes() == before


async def test_a_file_of_a_later_version_is_left_alone(path: Path, store: SqliteStore) -> None:
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"version 99.*Upgrade Timewright"):
        await SqliteStore(path).open()


@pytest.mark.parametrize("damage", ["all", "middle"])
async def test_a_damaged_file_is_told_and_once_it_is_moved_away_all_is_well(
    path: Path, store: SqliteStore, damage: str
) -> None:
    owner = await living(store)
    for number in range(50):
        await record(store, owner, ended(NOON + number, output="x" * 3000))
    await store.close()
    damage_file(path, start=0 if damage == "all" else 8192)
    with pytest.raises(StoreError, match=r"is damaged.*Move it away"):
        await store.history(HistoryQuery(limit=1000))
    move_away(path)
    with pytest.raises(OwnershipLost):
        await store.renew(owner)
    await record(store, await living(store, "another"), run())
    assert (await store.load([TASK]))[TASK].version == 1


def damage_file(path: Path, start: int) -> None:
    content = bytearray(path.read_bytes())
    content[start:] = b"\xa5" * (len(content) - start)
    path.write_bytes(content)


def move_away(path: Path) -> None:
    path.rename(path.with_suffix(".damaged"))


async def test_a_file_that_is_locked_for_too_long_is_told(path: Path, store: SqliteStore) -> None:
    owner = await living(store)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    beating = asyncio.ensure_future(beat())
    with pytest.raises(StoreError, match=r"locked by another process for 0.3 s.*fuser"):
        await store.commit(owner, [change(0, run())])
    beating.cancel()
    assert beats > 3, "the event loop goes on"
    assert (await store.load([TASK]))[TASK].version == 0, "reading is possible meanwhile"
    other.execute("ROLLBACK")
    other.close()
    assert list(await store.commit(owner, [change(0, run())])) == [True]


async def test_a_file_that_was_replaced_is_the_one_that_counts(path: Path, store: SqliteStore) -> None:
    owner = await living(store)
    await record(store, owner, run())
    for file in path.parent.iterdir():
        file.unlink()
    other = SqliteStore(path, lease_seconds=LONG)
    await record(other, await living(other, "other"), run(NOON + 60))
    assert [each.scheduled_at for each in await store.history(HistoryQuery())] == [NOON + 60]
    with pytest.raises(OwnershipLost):
        await store.finish(owner, [ended()])
    await store.close()
    await other.close()
    assert (await store.load([TASK]))[TASK].version == 1


async def test_a_file_that_was_removed_takes_no_other_files_journal_with_it(path: Path, store: SqliteStore) -> None:
    await record(store, await living(store), run())
    for file in path.parent.iterdir():
        file.unlink()
    process = Process(f"sqlite://{path}", LONG, "other")
    try:
        process.call("renew")
        assert process.call("claim", NOON + 60)
        await store.close()
        process.kill()
    finally:
        process.kill()
    assert [each.scheduled_at for each in await store.history(HistoryQuery())] == [NOON + 60]


async def test_a_folder_that_vanished_is_made_again(path: Path, store: SqliteStore) -> None:
    shutil.rmtree(path.parent.parent)
    assert (await store.load([TASK]))[TASK].version == 0


async def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="set TIMEWRIGHT_STORE"):
        await SqliteStore(tmp_path / "file" / "state.db").open()
    with pytest.raises(StoreError, match="set TIMEWRIGHT_STORE"):
        await SqliteStore(tmp_path).open()


@pytest.fixture
def ended_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize("column", ["boot", "expires", "started", "pid"])
async def test_what_tells_that_an_owner_is_dead(
    path: Path, store: SqliteStore, column: str, ended_process: int
) -> None:
    await record(store, await living(store), run())
    value = {"boot": "another", "expires": 0, "started": "1", "pid": ended_process}[column]
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE owners SET {column} = ?", (value,))
    other = SqliteStore(path)
    assert [each.proven for each in (await other.load([TASK]))[TASK].state.open_runs] == [False]
    await other.close()


@pytest.mark.parametrize("namespace", ["pid:[1]", None])
async def test_a_process_of_another_container_is_judged_by_its_lease(
    path: Path, store: SqliteStore, namespace: str | None
) -> None:
    await record(store, await living(store), run())
    other = SqliteStore(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE owners SET started = '1', pid_namespace = ?", (namespace,))
    assert [each.proven for each in (await other.load([TASK]))[TASK].state.open_runs] == [True]
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE owners SET expires = 0")
    assert [each.proven for each in (await other.load([TASK]))[TASK].state.open_runs] == [False]
    await other.close()


def is_root() -> bool:
    return os.geteuid() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if not is_root():
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill_disk(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


async def test_a_full_disk_is_told_and_once_there_is_space_all_is_well(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "state.db", lease_seconds=LONG)
    owner = await living(store)
    await record(store, owner, run())
    ballast = small_disk / "ballast"
    fill_disk(ballast)
    before = await store.load([TASK])
    for _ in range(2):
        with pytest.raises(StoreError, match=r"disk being full.*Free space"):
            await store.commit(owner, [change(1, ended(NOON + 60, output="x" * 500_000))])
    assert await store.load([TASK]) == before
    ballast.unlink()
    assert list(await store.commit(owner, [change(1, run(NOON + 60))])) == [True]
    assert list(await store.finish(owner, [ended()])) == [True]
    assert (await store.load([TASK]))[TASK].counters == {Outcome.SUCCEEDED: 1}
    await store.close()


async def test_a_disk_without_space_for_a_store_is_told(small_disk: Path) -> None:
    fill_disk(small_disk / "ballast")
    with pytest.raises(StoreError, match=r"Free space|which may be full"):
        await SqliteStore(small_disk / "state.db").open()


def test_a_limit_on_files_is_told_and_once_it_is_lifted_all_is_well(path: Path) -> None:
    process = Process(f"sqlite://{path}", LONG, "limited")
    try:
        process.call("renew")
        assert process.call("claim", NOON)
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        assert process.refusal("claim", NOON + 60) == "StoreError"
        assert process.refusal("renew") == "StoreError"
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
        assert process.call("finish", NOON)
        assert process.call("claim", NOON + 60)
    finally:
        process.kill()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A store with one claimed run that cannot be written any more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if is_root():
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    asyncio.run(make_store(folder / "state.db"))
    if is_root():
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    else:
        (folder / "state.db").chmod(0o400)
        folder.chmod(0o500)
    yield folder / "state.db"
    if is_root():
        subprocess.run(["umount", "--lazy", folder], check=True)
    else:
        folder.chmod(0o700)


async def make_store(path: Path) -> None:
    store = SqliteStore(path, lease_seconds=LONG)
    await record(store, await living(store), run())
    await store.close()


@pytest.mark.parametrize("call", CALLS)
async def test_a_file_that_cannot_be_written_is_told(read_only: Path, call: str) -> None:
    store = SqliteStore(read_only)
    with pytest.raises(StoreError, match=r"cannot be written.*Let this user write"):
        await CALLS[call](store)


async def test_a_process_that_is_killed_while_it_writes_leaves_a_sound_file(path: Path) -> None:
    known = 0
    for _ in range(5):
        process = Process(f"sqlite://{path}", LONG, f"owner {known}")
        process.call("renew")
        process.ask("race", 100_000)
        while True:
            found = sqlite3.connect(path)
            (watermark,) = found.execute("SELECT max(watermark) FROM tasks").fetchone()
            found.close()
            if watermark is not None and watermark - NOON >= known + 20:
                break
        process.kill()
        found = sqlite3.connect(path)
        assert found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (version, watermark, succeeded) = found.execute("SELECT version, watermark, succeeded FROM tasks").fetchone()
        (runs, finished) = found.execute("SELECT count(*), count(outcome) FROM runs").fetchone()
        found.close()
        known = watermark - NOON
        assert version == runs == known + 1
        assert finished == succeeded
        assert finished <= runs <= finished + 5
