"""Both databases are asked the same, whatever it is, and have to answer the same."""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
from hypothesis import strategies as some

from tests.storage.places import Place, PostgresqlPlace, SqlitePlace
from tests.storage.server import Server
from timewright.decisions.task_state import OpenPhase
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import HistoryQuery, OwnershipLost, Retention, Store
from timewright.storage.records import Change, Pause, RunRecord

owners = some.sampled_from(["ada", "bob"])
tasks = some.sampled_from(["a", "b"])
times = some.integers(0, 5)
keys = some.none() | some.sampled_from(["k", "l"])
outcomes = some.sampled_from(Outcome)
phases = some.sampled_from([OpenPhase.CLAIMED, OpenPhase.QUEUED])


@some.composite
def runs(draw: some.DrawFn, *, open_too: bool = True) -> RunRecord:
    task, at = draw(tasks), draw(times)
    run = RunRecord(task, f"{task}-{at}", at, host=draw(some.sampled_from(["", "h"])), idempotency_key=draw(keys))
    if open_too and draw(some.booleans()):
        run.phase = draw(phases)
    else:
        run.outcome = draw(outcomes)
        run.finished_at = float(draw(times))
        run.started_at = draw(some.none() | some.just(0.5))
    return run


@some.composite
def changes(draw: some.DrawFn) -> Change:
    task = draw(tasks)
    each = draw(some.lists(runs(), max_size=3, unique_by=lambda run: run.run_id))
    return Change(
        task,
        draw(some.integers(0, 3)),
        draw(times),
        "digest",
        draw(some.booleans()),
        [run for run in each if run.task == task],
        [f"{task}-{draw(times)}"] if draw(some.booleans()) else [],
        {draw(outcomes): 2} if draw(some.booleans()) else {},
    )


requests = some.one_of(
    some.tuples(some.just("renew"), owners),
    some.tuples(some.just("retire"), owners),
    some.tuples(some.just("commit"), owners, some.lists(changes(), max_size=3)),
    some.tuples(some.just("commit_now"), owners, changes()),
    some.tuples(some.just("mark_started"), owners, some.lists(runs(), max_size=2)),
    some.tuples(some.just("finish"), owners, some.lists(runs(open_too=False), max_size=3)),
    some.tuples(some.just("request_cancel"), tasks, times.map("a-{}".format)),
    some.tuples(some.just("abandon"), tasks, times.map("a-{}".format)),
    some.tuples(some.just("set_pause"), tasks, some.none() | some.builds(Pause, some.just("r"), some.none() | times)),
    some.tuples(some.just("prune"), some.dictionaries(tasks, some.builds(Retention, times, times), max_size=2)),
    some.tuples(some.just("acquire"), owners, tasks, tasks, some.integers(1, 2)),
    some.tuples(some.just("release"), owners, tasks, tasks),
    some.tuples(some.just("break_lock"), tasks, some.integers(1, 3)),
)


async def answer(store: Store, request: tuple[Any, ...]) -> Any:
    name, *arguments = request
    try:
        if name == "commit_now":
            owner, change = arguments
            version = (await store.load([change.task]))[change.task].version
            return list(await store.commit(owner, [replace(change, version=version)]))
        found = await getattr(store, name)(*arguments)
    except OwnershipLost as error:
        return str(error)
    if name == "acquire" and found is not None:
        return found.name, found.owner, found.holder, found.token
    return list(found) if isinstance(found, list | tuple) else found


async def everything(store: Store) -> dict[str, Any]:
    return {
        "tasks": await store.load(["a", "b"]),
        "runs": list(await store.history(HistoryQuery(limit=100))),
        "unattended": sorted(await store.unattended()),
        "to cancel": [sorted(await store.cancel_requests(owner)) for owner in ("ada", "bob")],
        "locks": [(lock.name, lock.owner, lock.holder, lock.token, lock.alive) for lock in await store.locks()],
        "keys": [await store.find(task, idempotency_key=key) for task in "ab" for key in "kl"],
    }


async def tell(place: Place, asked: list[tuple[Any, ...]]) -> list[Any]:
    """Ask a store on an empty place; return its answers, and what is in it after each."""
    store = await place.open()
    try:
        await store.renew("ada")
        told: list[Any] = []
        for request in asked:
            told += [request, await answer(store, request), await everything(store)]
        return told
    finally:
        await place.close()


@hypothesis.settings(max_examples=40)
@hypothesis.given(some.lists(requests, min_size=5, max_size=25))
def test_both_stores_answer_alike(postgresql: Server, asked: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        one = asyncio.run(tell(SqlitePlace(Path(folder, "state.db")), asked))
    other = asyncio.run(tell(PostgresqlPlace(postgresql), asked))
    assert one == other
