"""The test cluster itself: whatever happens, nothing of it stays behind and nobody else's is touched."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster, host, registry
from tests.cluster.cgroup import ControlGroup
from tests.cluster.images import PROJECT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not host.is_root(), reason="the test cluster needs root"),
]


@pytest.fixture
def cluster(control_plane: Cluster) -> Iterator[Cluster]:
    """Another cluster, beside the one that the session shares."""
    cluster = Cluster.create()
    yield cluster
    if cluster.name in registry.names():
        cluster.down()


def test_two_clusters_know_nothing_of_each_other(control_plane: Cluster, cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "only-here")

    assert "only-here" in cluster.kubectl("get", "namespaces").stdout
    assert "only-here" not in control_plane.kubectl("get", "namespaces").stdout


def test_down_leaves_nothing(cluster: Cluster) -> None:
    group = ControlGroup(f"timewright-{cluster.name}")
    assert group.processes()

    cluster.down()

    assert not cluster.home.exists()
    assert not group.processes()
    assert not list(Path("/sys/fs/cgroup").glob(f"*/timewright-{cluster.name}"))


def test_a_component_can_be_killed_and_started_again(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "kept")

    with cluster.without("apiserver"):
        assert cluster.kubectl("get", "namespaces", check=False).returncode != 0

    assert "kept" in cluster.kubectl("get", "namespaces").stdout


def test_the_cluster_of_a_killed_process_is_removed_by_the_next(control_plane: Cluster, tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        "import time\nfrom tests.cluster import Cluster\nprint(Cluster.create().name, flush=True)\ntime.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().strip()
        owner.send_signal(signal.SIGKILL)
    assert name in registry.names()

    Cluster.create().down()

    assert name not in registry.names()
    assert control_plane.name in registry.names()
    assert control_plane.kubectl("get", "namespaces").returncode == 0


def test_a_command_inside_reaches_what_a_thread_inside_serves(control_plane: Cluster) -> None:
    with control_plane.entered():
        server = subprocess.Popen(
            [sys.executable, "-m", "http.server", "8123", "--bind", control_plane.node_address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        address = f"http://{control_plane.node_address}:8123/"
        get = f"import urllib.request; print(urllib.request.urlopen('{address}').status)"
        deadline = time.monotonic() + 60
        while (result := control_plane.run([sys.executable, "-c", get], check=False)).returncode != 0:
            assert time.monotonic() < deadline, result.stderr
            time.sleep(0.2)
        assert result.stdout == "200\n"
    finally:
        server.kill()
        server.wait()
