"""All that is tried, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.chaos import processes, surroundings
from tests.chaos.load import load
from tests.chaos.measured import Measured, two_replicas
from tests.chaos.stage import Stage
from tests.chaos.switching import departures, switches, tasks
from tests.integration.installation import install
from tests.integration.operator_process import OperatorProcess

Manifest = dict[str, Any]


def switch(stage: Stage, times: int) -> Measured:
    """Tasks change their mode, to and fro, while the operator and the daemon that leads are killed by turns."""
    with _operator(stage) as process:
        two_replicas(stage)
        return Measured(faults=switches(stage, times, process))


def depart(stage: Stage, times: int) -> Measured:
    """All replicas are killed and do not come back until the operator has taken their tasks."""
    with _operator(stage):
        two_replicas(stage)
        return Measured(faults=departures(stage, times))


@contextmanager
def _operator(stage: Stage) -> Iterator[OperatorProcess]:
    kubeconfig = install(stage.cluster, stage.folder)
    process = OperatorProcess(stage.cluster, kubeconfig, stage.folder / "operator.log")
    try:
        process.lead()
        yield process
    finally:
        process.stop()


@dataclass(frozen=True)
class Scenario:
    """Something that happens while tasks run."""

    text: str
    times: int
    run: Callable[[Stage, int], Measured]
    load: Callable[[str], list[Manifest]] = load
    people: bool = True
    """Whether tasks are run by hand meanwhile."""
    edits: bool = True
    """Whether tasks are edited meanwhile."""


ALL: dict[str, Scenario] = {
    "kill": Scenario("`kill -9` of the leader, at times of all replicas, at random instants", 100, processes.kills),
    "restart": Scenario("SIGTERM to the leader, as in a rolling update", 10, processes.restarts),
    "stop": Scenario("SIGSTOP of the leader for longer than its Lease, then SIGCONT", 5, processes.stops),
    "pause": Scenario("SIGSTOP of the leader for about as long as its Lease", 20, processes.pauses),
    "partition": Scenario("the leader cut off from the API server, then healed", 5, surroundings.partitions),
    "outage": Scenario("the API server down for 30 s", 2, surroundings.outage),
    "hang": Scenario("the API server standing still for up to three times the Lease", 10, surroundings.hangs),
    "etcd": Scenario("etcd killed, and back after up to three times the Lease", 3, surroundings.storage),
    # Whoever edits a task has the right time, and the leader has not: the auditor could not tell which tick is whose.
    "clock": Scenario(
        "the leader's clock set 10 min back, right, 10 min on, right", 1, surroundings.clocks, edits=False
    ),
    "memory": Scenario("the leader killed by the kernel for want of memory", 3, processes.memory),
    "switch": Scenario("modes changed, operator and leader killed meanwhile", 8, switch, tasks, people=False),
    "depart": Scenario("the daemon gone for good, and its tasks given to CronJobs", 4, depart, tasks, people=False),
}
"""By name."""
