"""An operator as a process of its own, with the privileges that the chart gives it, beside a test cluster."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Self

from tests.cluster.cluster import Cluster
from tests.objects import eventually

_CODE = "import sys; from timewright.controller.operator import main; sys.exit(main())"


class OperatorProcess:
    """One operator. Ports differ from process to process, so that several run side by side in one network."""

    _next_port = 20000

    def __init__(self, cluster: Cluster, kubeconfig: Path, log: Path, **environment: str) -> None:
        self._cluster = cluster
        self._log = log
        port = OperatorProcess._next_port
        OperatorProcess._next_port += 2
        self.metrics_port = port + 1
        self.identity = f"operator-{uuid.uuid4().hex[:8]}"
        self._environment = {
            **cluster.environment,
            "KUBECONFIG": str(kubeconfig),
            "POD_NAME": self.identity,
            "TIMEWRIGHT_RUNNER_IMAGE": "timewright:test",
            "TIMEWRIGHT_OPERATOR_NAMESPACE": "timewright",
            "TIMEWRIGHT_LOG_FORMAT": "text",
            "TIMEWRIGHT_LIVENESS_PORT": str(port),
            "TIMEWRIGHT_METRICS_PORT": str(self.metrics_port),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the process; it may lead or wait for the Lease."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._cluster.command([sys.executable, "-c", _CODE]),
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def lead(self) -> Self:
        """Start the process and wait until it leads."""
        self.start()
        eventually(self.leads)
        return self

    def leads(self) -> bool:
        """Tell whether it holds the Lease."""
        assert self._process is None or self._process.poll() is None, self.log()
        return self.metrics().get('timewright_leader{lease="timewright-operator"}') == 1.0

    def stop(self) -> None:
        """Ask it to end, as the kubelet does, and wait until it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
        self._process = None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Return all that it has logged."""
        return self._log.read_text(errors="replace")

    def metrics(self) -> dict[str, float]:
        """Return its metrics, none if it does not answer."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        try:
            with self._cluster.entered(), urllib.request.urlopen(url, timeout=5) as response:
                text = response.read().decode()
        except OSError:
            return {}
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}

    def requests(self, *methods: str) -> dict[str, float]:
        """Return how many requests it has made by those methods, by resource, the Lease aside."""
        found: dict[str, float] = {}
        pattern = re.compile(r'timewright_api_requests_total\{method="(\w+)",resource="(\w+)"\}')
        for name, value in self.metrics().items():
            match = pattern.fullmatch(name)
            if match and match[1] in methods and match[2] != "leases":
                found[match[2]] = found.get(match[2], 0.0) + value
        return found

    def writes(self) -> float:
        """Return how many requests it has made that change something, the Lease aside."""
        return sum(self.requests("POST", "PUT", "PATCH", "DELETE").values())

    def reconciliations(self) -> float:
        """Return how many reconciliations it has made."""
        return self.metrics().get("timewright_reconcile_seconds_count", 0.0)

    def settle(self) -> None:
        """Wait until nothing has been reconciled for a second."""
        before = -1.0
        while before != (now := self.reconciliations()) or self.metrics().get("timewright_queue_depth") != 0.0:
            before = now
            time.sleep(1.0)
