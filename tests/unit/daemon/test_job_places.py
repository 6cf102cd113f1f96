"""How many Jobs there may be at once, and what is seen of those who wait."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.cluster.api import SCHEDULED_TASKS
from timewright.daemon.job_places import JobPlaces
from timewright.runner.stop import StopRequest


def asking(places: JobPlaces, name: str) -> tuple[asyncio.Task[bool], StopRequest]:
    stop = StopRequest()
    return asyncio.ensure_future(places.take(name, stop)), stop


async def test_places_go_to_who_has_waited_longest() -> None:
    now = [0.0]
    places = JobPlaces(2, clock=lambda: now[0])
    asked = [asking(places, name)[0] for name in "abcd"]
    await asyncio.sleep(0.01)
    assert ([each.done() for each in asked], places.taken, places.waiting) == ([True, True, False, False], 2, 2)
    now[0] = 7.0
    assert places.waiting_seconds == 7.0
    places.give_back("a")
    await asyncio.sleep(0.01)
    assert ([each.done() for each in asked], places.taken, places.waiting) == ([True, True, True, False], 2, 1)
    places.give_back("b")
    places.give_back("b")
    assert await asked[3]
    places.give_back("c")
    places.give_back("d")
    assert (places.taken, places.waiting, places.waiting_seconds) == (0, 0, 0.0)


async def test_without_a_limit_there_is_always_one() -> None:
    places = JobPlaces()
    assert all([await places.take(str(number), StopRequest()) for number in range(100)])
    assert places.taken == 100


async def test_who_is_asked_to_end_or_is_cancelled_keeps_no_place() -> None:
    places = JobPlaces(1)
    await places.take("first", StopRequest())
    (ended, stop), (cancelled, _), (last, _) = (asking(places, name) for name in ("ended", "cancelled", "last"))
    await asyncio.sleep(0.01)
    stop.request("a newer run takes its place")
    assert await ended is False
    places.give_back("first")  # to the second, which is cancelled before it can take notice
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert await last
    assert (places.taken, places.waiting) == (1, 0)


async def test_after_a_takeover_jobs_that_are_there_take_places_first() -> None:
    places = JobPlaces(1)
    places.take_at_once("a")
    places.take_at_once("b")
    waiting, _ = asking(places, "c")
    await asyncio.sleep(0.01)
    places.give_back("a")
    await asyncio.sleep(0.01)
    assert not waiting.done(), "there is still one, which is as many as there may be"
    assert await places.take("b", StopRequest()), "who has one does not wait for another"
    places.give_back("b")
    assert await waiting


def with_jobs(cluster: LiveCluster, tasks: int, **more: Any) -> None:
    template = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "none:1"}]}}}}
    for number in range(tasks):
        cluster.daemon_task(f"task-{number}", command=None, jobTemplate=template, **more)


async def test_no_more_jobs_than_there_may_be_and_it_is_seen_who_waits() -> None:
    cluster = LiveCluster()
    with_jobs(cluster, 5, schedule="*/2 * * * * *", concurrencyPolicy="Forbid")
    async with Replica(cluster, most_jobs=2) as replica:
        figures = replica.process.figures
        await until(lambda: figures.load().jobs_waiting == 3)
        assert len(cluster.jobs()) == 2
        await until(lambda: figures.lag().reason == "JobsWait")
        told = {family.name: family.samples[0].value for family in figures.collect() if family.samples}
        assert (told["timewright_jobs_active"], told["timewright_jobs_waiting"]) == (2, 3)
        assert told["timewright_lagging"] == 1
        for name in list(cluster.jobs()):
            cluster.finish(name)
        await until(lambda: figures.load().jobs_waiting <= 2 and len(unfinished(cluster)) == 2)
        for number in range(5):
            cluster.edit(SCHEDULED_TASKS, f"task-{number}", lambda body: body["spec"].update(suspend=True))
        await until(lambda: finish_all(cluster) or not figures.load().jobs_waiting)
    assert sum(cluster.status(f"task-{number}")["counters"]["lost"] for number in range(5)) == 0


async def test_who_waits_when_its_leader_ends_gets_a_job_from_the_next_one() -> None:
    cluster = LiveCluster()
    with_jobs(cluster, 2, schedule="*/2 * * * * *", concurrencyPolicy="Forbid")
    async with Replica(cluster, "pod-1", most_jobs=1) as first:
        await until(lambda: first.process.figures.load().jobs_waiting == 1)
        (made,) = cluster.jobs()
    async with Replica(cluster, "pod-2", most_jobs=1) as second:
        await until(lambda: second.leads and second.process.figures.load().jobs_waiting == 1)
        assert list(cluster.jobs()) == [made]
        cluster.finish(made)
        await until(lambda: len(cluster.jobs()) == 2)
        other = next(name for name in cluster.jobs() if name != made)
        assert other.rpartition("-")[2] == made.rpartition("-")[2], "of the tick that waited"


def unfinished(cluster: LiveCluster) -> list[str]:
    return [name for name, body in cluster.jobs().items() if not (body.get("status") or {}).get("conditions")]


def finish_all(cluster: LiveCluster) -> bool:
    for name in unfinished(cluster):
        cluster.finish(name)
    return False
