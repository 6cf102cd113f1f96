"""An operator with the chart's privileges beside a control plane, and a namespace for each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, eventually

SYSTEM = "timewright"
MANIFESTS = Path(__file__).parents[2] / "deploy" / "manifests"


@pytest.fixture(scope="session")
def operator_kubeconfig(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install everything of the chart but its Deployment; return the kubeconfig of its service account."""
    installed: list[dict[str, Any]] = []
    for file in ("install.yaml", "scheduled-at-policy.yaml"):
        installed += [each for each in yaml.safe_load_all((MANIFESTS / file).read_text()) if each]
    objects = [each for each in installed if each["kind"] not in ("Deployment", "Pod")]
    bundle = {"apiVersion": "v1", "kind": "List", "items": objects}
    eventually(lambda: control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(bundle), check=False).returncode == 0)
    for name in ("scheduledtasks", "taskruns", "taskdaemons"):
        control_plane.kubectl("wait", "--for=condition=Established", f"crd/{name}.timewright.dev", "--timeout=60s")
    token = control_plane.kubectl("create", "token", "timewright", "-n", SYSTEM, "--duration=8h").stdout.strip()
    configuration = yaml.safe_load(control_plane.kubeconfig.read_text())
    for user in configuration["users"]:
        user["user"] = {"token": token}
    path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    path.write_text(yaml.safe_dump(configuration))
    return path


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
