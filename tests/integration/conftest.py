"""An operator with the chart's privileges beside a control plane, and a namespace for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.integration.installation import install
from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace


@pytest.fixture(scope="session")
def operator_kubeconfig(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the chart's objects; return the kubeconfig of the operator's service account."""
    return install(control_plane, tmp_path_factory.mktemp("operator"))


@pytest.fixture(scope="module")
def _operator(
    control_plane: Cluster, operator_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(control_plane, operator_kubeconfig, tmp_path_factory.mktemp("log") / "operator.log")
    yield process
    process.stop()
    assert "Traceback" not in process.log(), process.log()
    assert "cannot" not in process.log(), "the chart's privileges do not suffice: " + process.log()


@pytest.fixture
def operator(_operator: OperatorProcess) -> OperatorProcess:
    """An operator that leads. Tests may stop, kill and start it; the next test finds it leading again."""
    if not _operator.running:
        _operator.lead()
    return _operator


@pytest.fixture
def another_operator(control_plane: Cluster, operator_kubeconfig: Path, tmp_path: Path) -> Iterator[OperatorProcess]:
    """A second operator, not started."""
    process = OperatorProcess(control_plane, operator_kubeconfig, tmp_path / "operator.log")
    yield process
    process.stop()


@pytest.fixture
def namespace(control_plane: Cluster, operator_kubeconfig: Path) -> Iterator[Namespace]:
    """An empty namespace, removed after the test."""
    number = Namespace.count = Namespace.count + 1
    name = f"test-{number}"
    control_plane.kubectl("create", "namespace", name)
    yield Namespace(control_plane, name)
    control_plane.kubectl("delete", "namespace", name, "--wait=false")
