"""The objects of a test, and waiting for what becomes of them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tests.cluster.cluster import Cluster

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 120.0


def eventually(ask: Callable[[], Answer], seconds: float = PATIENCE_SECONDS) -> Answer:
    """Ask until the answer is true, or raise with the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {seconds} s")
        time.sleep(0.1)
    return answer


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
