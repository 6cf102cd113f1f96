"""The operator while the control plane is away."""

from __future__ import annotations

import time

import pytest

from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, task

pytestmark = pytest.mark.cluster


def test_the_operator_outlives_an_absent_api_server(namespace: Namespace, another_operator: OperatorProcess) -> None:
    another_operator.lead()
    namespace.apply(task("before"))
    namespace.wait_ready("before")
    with namespace.cluster.without("apiserver"):
        time.sleep(3)
    namespace.apply(task("after"))
    namespace.wait_ready("after")
