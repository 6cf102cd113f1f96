"""A control plane for one measurement, its tasks, and a daemon as a process beside it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.chaos.stage import ROOT, install_definitions
from tests.cluster import Cluster, Options
from tests.integration.daemon_process import daemon_kubeconfig
from tests.objects import Namespace

from timewright.cluster.api import LEASES, SCHEDULED_TASKS, Api, ApiError, Resource, connect
from timewright.desired.daemon_object import DaemonIdentity
from timewright.desired.daemon_role import build_daemon_role, build_daemon_role_binding
from timewright.desired.daemon_service_account import build_daemon_service_account
from timewright.resources.group import API_VERSION
from timewright.resources.task_daemon import TaskDaemonSpec

Manifest = dict[str, Any]
Answer = TypeVar("Answer")

NAMESPACE = "bench"
CONNECTIONS = 48
LEASE_NAME = "timewright-daemon-default"
TUNED = ("--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-cron-job-syncs=64")
"""What makes the native controller as fast as it can be."""

_READY_PORT, _METRICS_PORT = 21080, 21090
_DAEMON_KUBECONFIG = "BENCH_DAEMON_KUBECONFIG"
_CODE = "import sys; from timewright.daemon.main import main; sys.exit(main())"


@contextmanager
def control_plane(flags: Sequence[str] = (), *, controllers: bool = True) -> Iterator[Cluster]:
    """Bring a control plane up, with the custom resources and a namespace; this thread is in its network meanwhile."""
    cluster = Cluster.create(Options(controller_manager=controllers, controller_manager_flags=tuple(flags)))
    try:
        install_definitions(cluster)
        cluster.kubectl("create", "namespace", NAMESPACE)
        # New definitions keep the API server busy with its own description for a while, which is no part of this.
        time.sleep(15)
        with tempfile.TemporaryDirectory() as folder, cluster.entered():
            os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
            os.environ[_DAEMON_KUBECONFIG] = str(_daemon_account(cluster, Path(folder)))
            yield cluster
    finally:
        cluster.down()


def _daemon_account(cluster: Cluster, folder: Path) -> Path:
    """Make a TaskDaemon with its ServiceAccount and Role, and return a kubeconfig with a token as its Pods have one."""
    namespace, name = Namespace(cluster, NAMESPACE), "default"
    namespace.apply({"apiVersion": API_VERSION, "kind": "TaskDaemon", "metadata": {"name": name}, "spec": {}})
    uid = namespace.get("taskdaemon", name)["metadata"]["uid"]
    identity, spec = DaemonIdentity(NAMESPACE, name, uid), TaskDaemonSpec()
    account = build_daemon_service_account(identity, spec)
    assert account is not None
    namespace.apply(account, build_daemon_role(identity), build_daemon_role_binding(identity, spec))
    return daemon_kubeconfig(cluster, namespace, folder)


class Daemon:
    """A running daemon, and what it costs."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.log = folder / f"daemon-{time.monotonic_ns()}.log"
        settings = {
            **os.environ,
            "KUBECONFIG": os.environ[_DAEMON_KUBECONFIG],
            "PYTHONPATH": f"{ROOT / 'operator'}{os.pathsep}{ROOT}",
            "TIMEWRIGHT_NAMESPACE": NAMESPACE,
            "POD_NAME": f"bench-{time.monotonic_ns()}",
            "TIMEWRIGHT_LOG_LEVEL": "warning",
            "TIMEWRIGHT_LOG_FORMAT": "text",
            "TIMEWRIGHT_PROBES_PORT": str(_READY_PORT),
            "TIMEWRIGHT_METRICS_PORT": str(_METRICS_PORT),
            **environment,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _CODE], env=settings, stdout=log, stderr=subprocess.STDOUT
            )

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> tuple[float, float]:
        """Return the resident memory, now and at most."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+)", text, re.MULTILINE))
        return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024

    async def wait_ready(self) -> None:
        """Wait until it has read everything."""
        await until(lambda: _answers(f"http://127.0.0.1:{_READY_PORT}/readyz"), self.alive)

    def alive(self) -> None:
        """Raise if it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon has ended:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End it as the kubelet does."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def daemon(folder: Path, **environment: str) -> Iterator[Daemon]:
    """Run a daemon for the time of a block."""
    made = Daemon(folder, **environment)
    try:
        yield made
    finally:
        made.stop()
        if "Traceback" in made.log.read_text():
            print(made.log.read_text()[-3000:])


async def until(
    ask: Callable[[], Answer], check: Callable[[], None] = lambda: None, *, seconds: float = 600, every: float = 0.05
) -> Answer:
    """Ask until the answer is true."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        check()
        if time.monotonic() > deadline:
            raise TimeoutError("it did not get there")
        await asyncio.sleep(every)
    return answer


def task(name: str, **spec: Any) -> Manifest:
    """Return a task of mode Daemon."""
    return {
        "apiVersion": "timewright.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"mode": "Daemon", **spec},
    }


async def create_all(api: Api, resource: Resource, bodies: Iterable[Manifest]) -> None:
    """Create objects over many connections."""
    left = iter(bodies)

    async def worker() -> None:
        for body in left:
            await api.create(resource, body)

    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))


async def empty(api: Api) -> None:
    """Remove all tasks, and the daemon's Lease with what it tells of them."""
    await api._request("DELETE", SCHEDULED_TASKS, SCHEDULED_TASKS.path(NAMESPACE))
    while [page async for page in api.list_all(SCHEDULED_TASKS, NAMESPACE) if page]:  # noqa: ASYNC110 - the API server is asked
        await asyncio.sleep(0.5)
    try:
        lease = await api.get(LEASES, NAMESPACE, LEASE_NAME)
        await api.delete(LEASES, NAMESPACE, LEASE_NAME, lease["metadata"]["uid"])
    except ApiError as error:
        if not error.not_found:
            raise


async def writes(api: Api) -> tuple[float, float]:
    """Return how many requests have changed something of ours so far, as the API server counts: Leases, and others."""
    headers: dict[str, str] = {}
    response = await api.client.call_api("GET", f"{api.client.configuration.host}/metrics", headers)
    text = (await response.read()).decode()
    leases = others = 0.0
    pattern = r'^apiserver_request_total\{([^}]*verb="(?:POST|PUT|PATCH|DELETE)"[^}]*)\} (\S+)$'
    for labels, value in re.findall(pattern, text, re.MULTILINE):
        if 'resource="leases"' in labels:
            leases += float(value)
        elif 'group="timewright.dev"' in labels or 'resource="jobs"' in labels:
            others += float(value)
    return leases, others


def quantile(values: Sequence[float], share: float) -> float:
    """Return what this share of values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


__all__ = ["SCHEDULED_TASKS", "Api", "connect"]
