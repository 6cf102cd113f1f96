"""What a daemon tells of its runs and of itself: notices, metrics, and the condition Lagging."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import NAMESPACE, LiveCluster, Replica, until
from tests.unit.notices.endpoint import Endpoint
from timewright.cluster.api import TASK_DAEMONS, TASK_RUNS
from timewright.cluster.metrics import TaskFigures
from timewright.daemon.outcomes import Outcomes
from timewright.daemon.task import ClusterTask
from timewright.decisions.policies import Policies
from timewright.resources.vocabulary import ConcurrencyPolicy, Outcome, Trigger
from timewright.runner.definition import Definition
from timewright.storage.records import RunRecord


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as served:
        yield served


def python(cluster: LiveCluster, function: str, *rules: dict[str, Any], name: str = "task", **more: Any) -> None:
    module = "failing_tasks" if function == "fail_twice" else "tasks"
    call = {"call": f"tests.unit.daemon.{module}:{function}"}
    cluster.daemon_task(name, command=None, python=call, notify=list(rules), **more)


def events(endpoint: Endpoint) -> list[str]:
    return [each.body["event"] for each in endpoint.asked]


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_failure_and_its_recovery_are_told_once_each(endpoint: Endpoint) -> None:
    cluster = LiveCluster()
    python(cluster, "fail_twice", {"webhook": {"url": endpoint.url}, "minIntervalSeconds": 0})
    async with Replica(cluster):
        await until(lambda: "Recovered" in events(endpoint))
        await asyncio.sleep(1.5)
    assert events(endpoint) == ["Failed", "Failed", "Recovered"]
    assert [each.body["failures"] for each in endpoint.asked] == [1, 2, 2]
    assert endpoint.asked[0].body["message"] == "ValueError: as it should"


async def test_the_next_leader_knows_of_failures_before_it(endpoint: Endpoint) -> None:
    cluster = LiveCluster()
    python(cluster, "fail", {"webhook": {"url": endpoint.url}, "minIntervalSeconds": 0})
    async with Replica(cluster):
        await until(lambda: cluster.status().get("counters", {}).get("failed"))
    before = len(endpoint.asked)
    async with Replica(cluster, "pod-2"):
        await until(lambda: len(endpoint.asked) > before)
    assert endpoint.asked[before].body["failures"] > 1


async def test_ticks_that_were_missed_are_told_and_counted(endpoint: Endpoint) -> None:
    cluster = LiveCluster()
    missed = sample("timewright_ticks_missed_total")
    rule = {"webhook": {"url": endpoint.url}, "events": ["Missed"]}
    python(cluster, "note", rule, startingDeadlineSeconds=0)
    async with Replica(cluster):
        await until(lambda: cluster.status().get("watermark"))
    await asyncio.sleep(3)
    async with Replica(cluster, "pod-2"):
        await until(lambda: endpoint.asked)
    assert endpoint.asked[0].body["outcome"] == "Missed"
    assert sample("timewright_ticks_missed_total") > missed


async def test_runs_that_go_on_are_told_of_while_they_do(endpoint: Endpoint) -> None:
    cluster = LiveCluster()
    rule = {"webhook": {"url": endpoint.url}, "events": ["Started", "LongRunning"], "longRunningSeconds": 1}
    python(cluster, "endless", rule, concurrencyPolicy="Forbid")
    async with Replica(cluster, drain_seconds=0.2) as replica:
        await until(lambda: len(endpoint.asked) == 2)
        assert replica.process.figures.leader is not None
        await asyncio.sleep(1.5)
    assert events(endpoint) == ["Started", "LongRunning"]


async def test_an_endpoint_that_hangs_delays_no_run(endpoint: Endpoint) -> None:
    endpoint.hangs = True
    cluster = LiveCluster()
    python(cluster, "fail", {"webhook": {"url": endpoint.url}, "minIntervalSeconds": 0})
    async with Replica(cluster) as replica:
        await until(lambda: len(tasks.started) >= 4)
        assert replica.process.courier.waiting >= 2
        await until(lambda: cluster.status().get("counters", {}).get("failed", 0) >= 3)
        await replica.process.courier.close(0)
    ticks = [tick for _, tick in tasks.started]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))


async def test_the_leader_tells_how_it_does_beside_what_the_operator_tells() -> None:
    cluster = LiveCluster()
    ready = {"type": "Ready", "status": "True", "reason": "PodsReady", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {}, "status": {"conditions": [ready]}})
    async with Replica(cluster):
        await until(lambda: cluster.of(TASK_DAEMONS)["default"]["status"].get("leader"))
    told = cluster.of(TASK_DAEMONS)["default"]["status"]
    assert told["leader"] == "pod-1"
    assert {each["type"]: each["reason"] for each in told["conditions"]} == {"Ready": "PodsReady", "Lagging": "KeepsUp"}


async def test_the_figures_of_a_task() -> None:
    cluster = LiveCluster()
    python(cluster, "fail", name="bad")
    python(cluster, "note", name="well")
    succeeded = sample("timewright_runs_total", outcome="Succeeded", reason="Completed", trigger="Schedule")
    delays = sample("timewright_run_start_delay_seconds_count")
    began = time.time()
    async with Replica(cluster) as replica:
        figures = replica.process.figures

        def of(name: str) -> TaskFigures | None:
            return next((each for each in figures.tasks() if each.task == name), None)

        await until(lambda: (bad := of("bad")) is not None and (bad.failing_streak or 0) >= 2)
        await until(lambda: (well := of("well")) is not None and well.last_success)
        bad, well = of("bad"), of("well")
        assert bad is not None
        assert well is not None
        assert sample("timewright_leader", lease="timewright-daemon-default") == 1
        assert (well.namespace, well.failing_streak) == (NAMESPACE, 0)
        assert well.last_success is not None
        assert well.last_success >= int(began)
        assert well.success_deadline is not None
        assert well.success_deadline > well.last_success
        assert bad.last_success is None
        assert bad.success_deadline is not None
        assert bad.success_deadline < began + 120
        assert {each.name: each.samples[0].value for each in figures.collect() if each.samples}[
            "timewright_lagging"
        ] == 0
    await until(lambda: sample("timewright_run_start_delay_seconds_count") > delays)
    assert sample("timewright_runs_total", outcome="Succeeded", reason="Completed", trigger="Schedule") > succeeded
    assert sample("timewright_leader", lease="timewright-daemon-default") == 0
    assert list(replica.process.figures.tasks()) == []


def late(policy: ConcurrencyPolicy, trigger: Trigger = Trigger.SCHEDULE) -> tuple[int, int]:
    outcomes = Outcomes(Replica(LiveCluster()).process.known, None)  # type: ignore[arg-type]
    task = ClusterTask(Definition("task", NAMESPACE, "job", []), "uid", None, "", Policies(policy))
    run = RunRecord("uid", "task-1", 100, trigger, outcome=Outcome.SUCCEEDED, reason="Completed", started_at=105.0)
    outcomes.note(task, (run,))
    outcomes.settle_all()
    return outcomes.starts()


async def test_runs_that_wait_for_others_of_their_task_are_not_late() -> None:
    assert late(ConcurrencyPolicy.ALLOW) == (1, 1)
    assert late(ConcurrencyPolicy.QUEUE) == (1, 0)
    assert late(ConcurrencyPolicy.ALLOW, Trigger.CATCH_UP) == (0, 0)


async def test_task_runs_are_all_that_a_new_leader_needs_to_know_a_streak() -> None:
    cluster = LiveCluster()
    python(cluster, "note", suspend=True)
    for number, outcome in enumerate(["Succeeded", "Failed", "Skipped", "Failed"]):
        cluster.put(TASK_RUNS, {"metadata": {"name": f"task-{number}"}, "spec": {"taskRef": {"name": "task"}}})
        ended = f"2026-03-01T12:00:0{number}Z"
        cluster.edit(
            TASK_RUNS,
            f"task-{number}",
            lambda body, ended=ended, outcome=outcome: body.update(  # type: ignore[misc]
                status={"phase": "Finished", "outcome": outcome, "completionTime": ended}
            ),
        )
    async with Replica(cluster) as replica:
        await until(lambda: list(replica.process.figures.tasks()))
        (figures,) = replica.process.figures.tasks()
    assert figures.failing_streak == 2
    assert figures.success_deadline is None
