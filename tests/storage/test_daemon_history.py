"""A daemon that writes its full history into a database, which goes away and comes back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.storage.places import PostgresqlPlace
from tests.storage.server import Server
from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.cluster.api import TASK_DAEMONS
from timewright.resources.vocabulary import Outcome
from timewright.storage.protocol import HistoryQuery
from timewright.storage.records import RunRecord

KEY = "shop/task"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    tasks.started.clear()
    yield
    tasks.started.clear()


@pytest.fixture
async def place(postgresql: Server) -> AsyncIterator[PostgresqlPlace]:
    empty = PostgresqlPlace(postgresql)
    yield empty
    await empty.close()


def python(cluster: LiveCluster, function: str = "note", name: str = "task") -> None:
    call = {"call": f"tests.unit.daemon.tasks:{function}"}
    # Of neither kind is a TaskRun kept: what is found afterwards is found in the database.
    cluster.daemon_task(
        name,
        command=None,
        python=call,
        successfulRunsHistoryLimit=0,
        failedRunsHistoryLimit=0,
        concurrencyPolicy="Allow",
    )


async def recorded(place: PostgresqlPlace) -> list[RunRecord]:
    store = await place.open()
    return list(await store.history(HistoryQuery(limit=100_000)))


def ticks(name: str = "task") -> list[int]:
    return [tick for task, tick in tasks.started if task == name]


async def test_every_run_is_in_the_database_once_whatever_its_outcome(place: PostgresqlPlace) -> None:
    cluster = LiveCluster()
    python(cluster)
    python(cluster, "fail", "fails")
    async with Replica(cluster, store=place.url):
        await until(lambda: len(ticks()) >= 4)
    found = await recorded(place)
    assert {run.scheduled_at for run in found if run.task == KEY} == set(ticks())
    assert {run.scheduled_at for run in found if run.task == "shop/fails"} == set(ticks("fails"))
    assert max(Counter((run.task, run.run_id) for run in found).values()) == 1
    failed = next(run for run in found if run.task == "shop/fails")
    assert (failed.outcome, failed.message) == (Outcome.FAILED, "ValueError: as it should")
    assert failed.started_at is not None
    assert not cluster.runs(), "what the task keeps is for TaskRuns alone"


async def test_while_the_database_is_away_runs_go_on_and_are_written_when_it_is_back(
    postgresql: Server, place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timewright.daemon.status.SECONDS", 0.2)
    cluster = LiveCluster()
    python(cluster)
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {}})
    async with Replica(cluster, store=place.url) as replica:
        await until(lambda: len(ticks()) >= 2)
        leader = replica.process.leader
        assert leader is not None
        history = leader.history
        assert history is not None
        with postgresql.away():
            before = len(ticks())
            await until(lambda: len(ticks()) >= before + 3)
            await until(lambda: condition(cluster) == ("False", "DatabaseUnavailable"))
            await until(lambda: history.waiting >= 3)
        await until(lambda: history.waiting == 0)
        await until(lambda: condition(cluster) == ("True", "Recorded"))
    found = await recorded(place)
    assert {run.scheduled_at for run in found} == set(ticks())
    assert len(found) == len(ticks())


async def test_what_a_killed_leader_did_not_write_the_next_one_writes(place: PostgresqlPlace) -> None:
    cluster = LiveCluster()
    python(cluster)
    first = Replica(cluster, "pod-1", store=place.url)
    async with Replica(cluster, "pod-2", store=place.url) as second:
        await until(lambda: second.leads)
        leader = second.process.leader
        assert leader is not None
        history = leader.history
        assert history is not None
        async with first:
            await until(lambda: len(ticks()) >= 3)
            leader.writer.before_status = _hang
            history.flush = _hang  # type: ignore[method-assign]
            before = len(ticks())
            await until(lambda: len(ticks()) >= before + 3)
            unwritten = ticks()[before:]
            await second.kill()
            await until(lambda: first.leads)
            before = len(ticks())
            await until(lambda: len(ticks()) >= before + 2)
    found = {run.scheduled_at: run for run in await recorded(place)}
    assert set(found) >= set(ticks()), "every tick that started is on record"
    assert len(found) == len(await recorded(place)), "none of them twice"
    told = [found[tick] for tick in unwritten]
    assert {run.outcome for run in told} <= {Outcome.SUCCEEDED, Outcome.LOST}
    assert any(run.outcome is Outcome.SUCCEEDED and "was gone before" in run.message for run in told)


async def _hang() -> bool:
    await asyncio.sleep(3600)
    return False


def condition(cluster: LiveCluster) -> tuple[str, str] | None:
    for body in cluster.of(TASK_DAEMONS).values():
        for each in (body.get("status") or {}).get("conditions", []):
            if each["type"] == "HistoryRecorded":
                return each["status"], each["reason"]
    return None
