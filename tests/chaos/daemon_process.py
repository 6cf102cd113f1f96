"""A replica of a TaskDaemon as a process of its own, beside a test cluster, with whatever is to befall it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Self

from tests.cluster.cluster import Cluster
from tests.objects import eventually

ROOT = Path(__file__).parents[2]

_CODE = "import sys; from timewright.daemon.main import main; sys.exit(main())"


class DaemonProcess:
    """One replica. Ports differ from process to process, so that several run side by side in one network."""

    _next = 0

    def __init__(
        self, cluster: Cluster, namespace: str, folder: Path, *, kubeconfig: Path | None = None, **environment: str
    ) -> None:
        DaemonProcess._next += 1
        number = DaemonProcess._next
        self._cluster = cluster
        self.name = f"replica-{number}"
        self.metrics_port = 22001 + 2 * number
        self._ready_port = 22000 + 2 * number
        self._log = folder / f"{self.name}.log"
        self._environment = {
            **cluster.environment,
            "KUBECONFIG": str(kubeconfig or cluster.kubeconfig),
            "PYTHONPATH": f"{ROOT / 'operator'}{os.pathsep}{ROOT}",
            "TIMEWRIGHT_NAMESPACE": namespace,
            "POD_NAME": self.name,
            "TIMEWRIGHT_LOG_FORMAT": "text",
            "TIMEWRIGHT_PROBES_PORT": str(self._ready_port),
            "TIMEWRIGHT_METRICS_PORT": str(self.metrics_port),
            "TIMEWRIGHT_TERMINATION_GRACE_PERIOD_SECONDS": "20",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *before: str) -> Self:
        """Start the process, by a command that ends in becoming it if one is given."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._cluster.command([*before, sys.executable, "-c", _CODE]),
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def wait_ready(self) -> Self:
        """Wait until it stands by with everything read, or leads."""
        eventually(self.is_ready)
        return self

    def is_ready(self) -> bool:
        assert self.running, self.log()[-5000:]
        try:
            return bool(self._get(self._ready_port, "/readyz"))
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        """Ask it to end, as the kubelet does, and wait until it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> float:
        """End it without a chance to tidy up; return when, by the wall clock."""
        at = time.time()
        self._end(signal.SIGKILL)
        return at

    def log(self) -> str:
        """Return all that it has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def metrics(self) -> dict[str, float]:
        """Return its metrics, none if it does not answer."""
        try:
            text = self._get(self.metrics_port, "/metrics")
        except OSError:
            return {}
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=90)

    def _get(self, port: int, path: str) -> str:
        with (
            self._cluster.entered(),
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response,
        ):
            text: str = response.read().decode()
            return text
