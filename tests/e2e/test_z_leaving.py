"""Uninstalling: tasks go on, and a new installation adopts them. Comes last, since it takes the operator away."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import CHART, SYSTEM, helm_values
from tests.objects import Namespace, eventually, task

pytestmark = pytest.mark.kubelet


def test_helm_test_passes(namespace: Namespace) -> None:
    namespace.cluster.helm("test", "timewright", "--namespace", SYSTEM, "--timeout", "3m")


def test_tasks_go_on_without_the_operator_and_are_adopted_by_the_next(namespace: Namespace, image: str) -> None:
    namespace.apply(task("ticking", schedule="* * * * *", command=["true"]))
    namespace.wait_ready("ticking")
    uid = namespace.get("cronjob", "ticking")["metadata"]["uid"]
    namespace.cluster.helm("uninstall", "timewright", "--namespace", SYSTEM, "--wait")
    assert namespace.get("scheduledtask", "ticking"), "the definitions outlive the chart"
    known = len(namespace.list("job"))
    eventually(lambda: len(namespace.list("job")) > known, seconds=120)

    namespace.cluster.helm(
        "install", "timewright", CHART, "--namespace", SYSTEM, "--wait", "--timeout", "5m", *helm_values(image)
    )
    eventually(lambda: [each for each in namespace.list("taskrun") if (each.get("status") or {}).get("outcome")])
    assert namespace.get("cronjob", "ticking")["metadata"]["uid"] == uid
