"""A replica of a daemon as a process of its own, with the privileges that the operator gives it."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Self

import yaml

from tests.cluster.cluster import Cluster
from tests.objects import Namespace, eventually

_CODE = "import sys; from timewright.daemon.main import main; sys.exit(main())"


def daemon_kubeconfig(cluster: Cluster, namespace: Namespace, folder: Path, daemon: str = "default") -> Path:
    """Return the kubeconfig of the ServiceAccount that the operator has made for a daemon."""
    account = f"timewright-daemon-{daemon}"
    eventually(lambda: namespace.get("rolebinding", account) and namespace.get("serviceaccount", account))
    token = namespace.kubectl("create", "token", account, "--duration=8h").stdout.strip()
    configuration = yaml.safe_load(cluster.kubeconfig.read_text())
    for user in configuration["users"]:
        user["user"] = {"token": token}
    path = folder / f"{account}.kubeconfig"
    path.write_text(yaml.safe_dump(configuration))
    return path


class DaemonProcess:
    """One replica. Ports differ from process to process."""

    _next_port = 24000

    def __init__(self, cluster: Cluster, namespace: str, kubeconfig: Path, log: Path, **environment: str) -> None:
        self._cluster = cluster
        self._log = log
        self.port = DaemonProcess._next_port
        DaemonProcess._next_port += 2
        self.identity = environment.get("POD_NAME") or f"daemon-{uuid.uuid4().hex[:8]}"
        self._environment = {
            **cluster.environment,
            "KUBECONFIG": str(kubeconfig),
            "POD_NAME": self.identity,
            "TIMEWRIGHT_NAMESPACE": namespace,
            "TIMEWRIGHT_LEASE_DURATION_SECONDS": "5",
            "TIMEWRIGHT_TERMINATION_GRACE_PERIOD_SECONDS": "10",
            "TIMEWRIGHT_LOG_FORMAT": "text",
            "TIMEWRIGHT_PROBES_PORT": str(self.port),
            "TIMEWRIGHT_METRICS_PORT": str(self.port + 1),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *before: str) -> Self:
        """Start the process, by a command that becomes it if one is given, and wait until it could lead."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._cluster.command([*before, sys.executable, "-c", _CODE]),
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self.ready)
        return self

    def ready(self) -> bool:
        """Tell whether it knows all that it needs to take over."""
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            url = f"http://127.0.0.1:{self.port}/readyz"
            with self._cluster.entered(), urllib.request.urlopen(url, timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.HTTPError, OSError):
            return False

    def metrics(self) -> str:
        """Return what it tells Prometheus."""
        url = f"http://127.0.0.1:{self.port + 1}/metrics"
        with self._cluster.entered(), urllib.request.urlopen(url, timeout=5) as response:
            return str(response.read().decode())

    def stop(self) -> None:
        """Ask it to end, as the kubelet does, and wait until it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._end(signal.SIGKILL)

    def send(self, how: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(how)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)

    @property
    def pid(self) -> int:
        """The number of the process, which may have ended."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it has."""
        return None if self._process is None else self._process.poll()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Return all that it has logged."""
        return self._log.read_text(errors="replace")
