"""A daemon's full history in a real PostgreSQL, whose leader is killed and whose database goes away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.integration.daemon_process import DaemonProcess, daemon_kubeconfig
from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, eventually, task
from tests.storage.server import Server, UnavailableError, running

pytestmark = pytest.mark.cluster

TASKS = 5


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    try:
        with running() as server:
            yield server
    except UnavailableError as reason:
        pytest.skip(str(reason))


def traced(trace: Path) -> list[int]:
    """Return the nominal times that a task's own runs have written down."""
    return [int(line) for line in trace.read_text().split()] if trace.exists() else []


def three_more_of_each(traces: dict[str, Path]) -> None:
    before = {name: len(traced(trace)) for name, trace in traces.items()}
    eventually(lambda: all(len(traced(trace)) >= before[name] + 3 for name, trace in traces.items()))


def test_every_run_is_in_the_database_once_although_leaders_are_killed_and_it_goes_away(
    control_plane: Cluster, namespace: Namespace, operator: OperatorProcess, database: Server, tmp_path: Path
) -> None:
    namespace.apply(task("first", mode="Daemon"))
    kubeconfig = daemon_kubeconfig(control_plane, namespace, tmp_path)
    replicas: list[DaemonProcess] = []

    def start() -> DaemonProcess:
        log = tmp_path / f"daemon-{len(replicas)}.log"
        url = database.url()
        replicas.append(DaemonProcess(control_plane, namespace.name, kubeconfig, log, TIMEWRIGHT_STORE=url))
        return replicas[-1].start()

    try:
        leader = start()
        traces = {f"every-{number}": tmp_path / f"every-{number}" for number in range(TASKS)}
        for name, trace in traces.items():
            command = ["sh", "-c", f"date -d $TIMEWRIGHT_SCHEDULED_AT +%s >> {trace}"]
            kept = {"successfulRunsHistoryLimit": 1, "failedRunsHistoryLimit": 1}
            namespace.apply(task(name, mode="Daemon", schedule="* * * * * *", command=command, **kept))
        three_more_of_each(traces)
        for _ in range(3):
            standby = start()
            leader.kill()
            leader = standby
            three_more_of_each(traces)
        with database.away():
            three_more_of_each(traces)
            eventually(lambda: "timewright_history_waiting 0.0" not in leader.metrics())
            eventually(lambda: recorded_condition(namespace) == "DatabaseUnavailable")
        eventually(lambda: recorded_condition(namespace) == "Recorded")
        leader.stop()
        assert all("Traceback" not in each.log() for each in replicas)
    finally:
        for each in replicas:
            each.stop()

    rows = database.execute(
        "SELECT tasks.key, runs.scheduled_at, runs.outcome FROM timewright.runs "
        "JOIN timewright.tasks ON tasks.id = runs.task_id"
    )
    assert max(Counter((key, tick) for key, tick, _ in rows).values()) == 1, "no run is there twice"
    for name, trace in traces.items():
        found = {tick for key, tick, _ in rows if key == f"{namespace.name}/{name}"}
        started = traced(trace)
        assert max(Counter(started).values()) == 1
        assert set(started) <= found, f"{name}: every run that started is there"
        assert found >= set(range(min(started), max(started) + 1)), f"{name}: every tick is there, whatever its outcome"
    assert "Succeeded" in {outcome for _, _, outcome in rows}


def recorded_condition(namespace: Namespace) -> str | None:
    conditions = (namespace.get("taskdaemon", "default").get("status") or {}).get("conditions") or []
    return next((each["reason"] for each in conditions if each["type"] == "HistoryRecorded"), None)
