"""Tasks in a daemon: what starts, what is written, and what takes effect while it runs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.cluster.api import SCHEDULED_TASKS

NOTE = {"call": "tests.unit.daemon.tasks:note"}


def python(cluster: LiveCluster, name: str = "task", function: str = "note", **more: Any) -> None:
    cluster.daemon_task(name, command=None, python={"call": f"tests.unit.daemon.tasks:{function}"}, **more)


def ticks(name: str = "task") -> list[int]:
    return [tick for task, tick in tasks.started if task == name]


async def test_each_tick_starts_once_and_is_counted_and_told() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster):
        await until(lambda: len(ticks()) >= 4)
    assert ticks() == list(range(ticks()[0], ticks()[0] + len(ticks())))
    async with Replica(cluster, "pod-2"):
        await until(lambda: cluster.status().get("counters", {}).get("succeeded", 0) >= len(ticks()) - 1)
        status = cluster.status()
    assert status["scheduledBy"] == "Daemon"
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "Accepted": "True",
        "Ready": "True",
        "Healthy": "True",
    }
    run = next(iter(cluster.runs().values()))
    assert (run["status"]["outcome"], run["spec"]["trigger"]) == ("Succeeded", "Schedule")
    assert run["metadata"]["labels"]["timewright.dev/daemon"] == "default"


async def test_failures_are_written_first_and_tell_why() -> None:
    cluster = LiveCluster()
    python(cluster, function="fail")
    async with Replica(cluster):
        await until(lambda: any(run.get("status", {}).get("outcome") == "Failed" for run in cluster.runs().values()))
        await until(lambda: cluster.status().get("counters", {}).get("failed"))
    run = next(run for run in cluster.runs().values() if run["status"]["outcome"] == "Failed")
    assert run["status"]["message"] == "ValueError: as it should"
    assert cluster.status()["lastOutcome"] == "Failed"


async def test_creation_edit_suspension_and_deletion_take_effect_within_a_second() -> None:
    cluster = LiveCluster()
    async with Replica(cluster) as replica:
        await until(lambda: replica.leads)
        python(cluster)
        created = time.time()
        await until(ticks)
        assert ticks()[0] - created < 2
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(suspend=True))
        suspended = time.time()
        await asyncio.sleep(2.5)
        assert max(ticks()) <= suspended + 1
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(suspend=False))
        before = len(ticks())
        await until(lambda: len(ticks()) > before)
        cluster.remove(SCHEDULED_TASKS, "task")
        removed = time.time()
        await asyncio.sleep(2.5)
        assert max(ticks()) <= removed + 1
        assert replica.process.leader is not None
        assert not replica.process.leader.tasks


async def test_a_refused_edit_leaves_the_accepted_one_running() -> None:
    cluster = LiveCluster()
    python(cluster)
    async with Replica(cluster):
        await until(ticks)
        cluster.edit(SCHEDULED_TASKS, "task", lambda body: body["spec"].update(schedule="nonsense"))

        def accepted() -> dict[str, str]:
            return {each["type"]: each["status"] for each in cluster.status().get("conditions", [])}

        await until(lambda: accepted().get("Accepted") == "False")
        before = len(ticks())
        await until(lambda: len(ticks()) > before)
        assert cluster.status()["acceptedGeneration"] == 1


async def test_history_is_thinned_and_counters_are_exact() -> None:
    cluster = LiveCluster()
    for number in range(5):
        python(cluster, f"task-{number}", successfulRunsHistoryLimit=2)
    async with Replica(cluster) as replica:
        await until(lambda: len(tasks.started) >= 30)
        leader = replica.process.leader
        assert leader is not None
        await until(lambda: all(cluster.status(f"task-{number}").get("counters") for number in range(5)))
    async with Replica(cluster, "pod-2"):
        counted = Counter(name for name, _ in tasks.started)
        await asyncio.sleep(3)
    for name, number in counted.items():
        told = cluster.status(name)["counters"]
        assert told["succeeded"] >= number - 1
        assert told["lost"] == told["missed"] == 0
        assert len(cluster.runs(name)) <= 2 + 1


async def test_with_few_writes_allowed_no_more_are_made() -> None:
    cluster = LiveCluster()
    for number in range(20):
        python(cluster, f"task-{number}")
    async with Replica(cluster, writes_per_minute=60) as replica:
        await until(lambda: replica.leads)
        leader = replica.process.leader
        assert leader is not None
        began = time.monotonic()
        await until(lambda: len(tasks.started) >= 120)
        seconds = time.monotonic() - began
        assert leader.allowance.made <= 10 + seconds + 25
        assert len(leader.writer.waiting) > 5, "what waits is visible"


async def test_an_edit_before_the_first_status_changes_nobodys_mind() -> None:
    cluster = LiveCluster()
    async with Replica(cluster, writes_per_minute=10) as replica:
        await until(lambda: replica.leads)
        for number in range(120):
            python(cluster, f"task-{number}")
        await until(lambda: len({name for name, _ in tasks.started}) == 120)
        silent = next(f"task-{number}" for number in range(120) if not cluster.status(f"task-{number}"))
        cluster.edit(SCHEDULED_TASKS, silent, lambda body: body["spec"].update(timeoutSeconds=100))
        before = len(ticks(silent))
        await until(lambda: len(ticks(silent)) >= before + 3)
    assert max(Counter(ticks(silent)).values()) == 1
