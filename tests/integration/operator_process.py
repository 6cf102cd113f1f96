"""An operator as a process of its own, with the privileges that the chart gives it, beside a test cluster."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.cluster.cluster import Cluster

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 120.0
_CODE = "import sys; from timewright.controller.operator import main; sys.exit(main())"


def eventually(ask: Callable[[], Answer], seconds: float = PATIENCE_SECONDS) -> Answer:
    """Ask until the answer is true, or raise with the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {seconds} s")
        time.sleep(0.1)
    return answer


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
        return self.metrics().get("timewright_leader") == 1.0

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


class Namespace:
    """A namespace of one test, with the objects in it as dictionaries."""

    count = 0

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def apply(self, *objects: dict[str, Any], check: bool = True) -> subprocess.CompletedProcess[str]:
        """Apply objects the way users do."""
        bundle = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(bundle), check=check)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl("-n", self.name, *arguments, stdin=stdin, check=check)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object; an empty one if it does not exist."""
        result = self.kubectl("get", kind, name, "-o", "json", check=False)
        parsed: dict[str, Any] = json.loads(result.stdout) if result.returncode == 0 else {}
        return parsed

    def list(self, kind: str) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-o", "json").stdout)["items"]
        return items

    def condition(self, name: str, type_: str) -> dict[str, Any]:
        """Return a ScheduledTask's condition of its present generation; an empty one if there is none."""
        task = self.get("scheduledtask", name)
        for each in (task.get("status") or {}).get("conditions") or []:
            if each["type"] == type_ and each.get("observedGeneration") == task["metadata"]["generation"]:
                found: dict[str, Any] = each
                return found
        return {}

    def wait_ready(self, name: str) -> None:
        """Wait until a task's present generation is applied."""
        eventually(lambda: self.condition(name, "Ready").get("status") == "True")

    def wait_refused(self, name: str) -> dict[str, Any]:
        """Wait until a task's present generation is refused; return the condition."""
        eventually(lambda: self.condition(name, "Accepted").get("status") == "False")
        return self.condition(name, "Accepted")

    def outcome(self, run: str) -> str | None:
        """Return the outcome of a TaskRun, if it has one."""
        return (self.get("taskrun", run).get("status") or {}).get("outcome")


YEARLY = "0 0 1 1 *"
"""A schedule that does not get in a test's way."""


def task(name: str, **spec: Any) -> dict[str, Any]:
    """Return a ScheduledTask; by default one that runs a command once a year."""
    if not {"jobTemplate", "http", "python", "app"} & set(spec):
        spec.setdefault("command", ["true"])
    return {
        "apiVersion": "timewright.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": name},
        "spec": {"schedule": YEARLY, **spec},
    }


def run(name: str, task_name: str, **spec: Any) -> dict[str, Any]:
    """Return a TaskRun made by hand."""
    return {
        "apiVersion": "timewright.dev/v1alpha1",
        "kind": "TaskRun",
        "metadata": {"name": name},
        "spec": {"taskRef": {"name": task_name}, **spec},
    }


def job_template(**container: Any) -> dict[str, Any]:
    """Return a jobTemplate of one container."""
    return {
        "spec": {
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "registry.invalid/none:1", **container}],
                }
            }
        }
    }
