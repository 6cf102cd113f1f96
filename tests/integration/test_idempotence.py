"""What is as it should be costs no write.

The operator serves the test's namespace alone, so that its writes can be counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, eventually, job_template, task

pytestmark = pytest.mark.cluster


@pytest.fixture
def lone_operator(
    control_plane: Cluster, operator_kubeconfig: Path, namespace: Namespace, tmp_path: Path
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(
        control_plane, operator_kubeconfig, tmp_path / "operator.log", TIMEWRIGHT_NAMESPACES=namespace.name
    )
    yield process.lead()
    process.stop()


def test_a_second_reconciliation_of_an_unchanged_task_writes_nothing(
    namespace: Namespace, lone_operator: OperatorProcess
) -> None:
    # Values that the API server writes in another way than they were written must not look like drift.
    odd = job_template(resources={"limits": {"cpu": "1000m", "memory": "0.5Gi"}}, env=[{"name": "EMPTY", "value": ""}])
    namespace.apply(task("odd", jobTemplate=odd), task("plain"), task("broken", schedule="61 * * * *"))
    for name in ("odd", "plain"):
        namespace.wait_ready(name)
    namespace.wait_refused("broken")
    lone_operator.settle()

    writes, reconciliations = lone_operator.writes(), lone_operator.reconciliations()
    namespace.kubectl("annotate", "scheduledtask", "--all", "touched=yes")
    eventually(lambda: lone_operator.reconciliations() >= reconciliations + 3)
    lone_operator.settle()
    assert lone_operator.writes() == writes


def test_a_restart_with_unchanged_tasks_writes_nothing(namespace: Namespace, lone_operator: OperatorProcess) -> None:
    namespace.apply(*(task(f"task-{number}") for number in range(20)), task("broken", timeZone="Mars/Olympus"))
    for number in range(20):
        namespace.wait_ready(f"task-{number}")
    namespace.wait_refused("broken")
    lone_operator.settle()
    lone_operator.stop()

    lone_operator.lead()
    eventually(lambda: lone_operator.reconciliations() >= 21)
    lone_operator.settle()
    assert lone_operator.writes() == 0, lone_operator.requests("POST", "PUT", "PATCH", "DELETE")
