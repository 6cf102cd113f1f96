"""A daemon in real Pods, from the first task of its namespace to the last."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_kinds import Answering, server  # noqa: F401 - a fixture
from tests.objects import Namespace, eventually, job_template, run, task

pytestmark = pytest.mark.kubelet

NAME = "timewright-daemon-default"
PAIR = "timewright-daemon-pair"
PERIOD = 2
LEASE_SECONDS = 5


def daemon_task(name: str, schedule: str, **spec: Any) -> dict[str, Any]:
    return task(name, mode="Daemon", schedule=schedule, successfulRunsHistoryLimit=3, **spec)


def records(namespace: Namespace, name: str) -> list[dict[str, Any]]:
    """Return the statuses of a task's finished runs."""
    found = [each for each in namespace.list("taskrun") if each["spec"]["taskRef"]["name"] == name]
    return [each["status"] for each in found if (each.get("status") or {}).get("outcome")]


def nominal_times() -> list[int]:
    """Return the nominal times that requests told, in the order in which they came."""
    return [int(datetime.fromisoformat(body).timestamp()) for _, _, _, body in Answering.asked]


def missing_or_twice(times: list[int]) -> list[int]:
    counted = Counter(times)
    return [each for each in range(min(times), max(times) + 1, PERIOD) if counted[each] != 1]


def test_a_leader_pod_that_is_killed(restricted: Namespace, server: str) -> None:  # noqa: F811
    request = {"method": "POST", "url": f"{server}/status/200", "body": "$(TIMEWRIGHT_SCHEDULED_AT)"}
    restricted.apply(
        {
            "apiVersion": "timewright.dev/v1alpha1",
            "kind": "TaskDaemon",
            "metadata": {"name": "pair"},
            "spec": {"replicas": 2, "leaseDurationSeconds": LEASE_SECONDS},
        },
        daemon_task("ping", f"*/{PERIOD} * * * * *", daemon="pair", http=request, failedRunsHistoryLimit=100),
    )
    eventually(lambda: restricted.get("deployment", PAIR).get("status", {}).get("readyReplicas") == 2)
    leader = eventually(lambda: restricted.get("taskdaemon", "pair").get("status", {}).get("leader"))
    eventually(lambda: len(Answering.asked) >= 3)
    os.kill(process_in(leader), signal.SIGKILL)
    killed = time.time()
    restricted.kubectl("delete", "pod", leader, "--force", "--grace-period=0")
    eventually(lambda: [each for each in nominal_times() if each > killed])
    eventually(lambda: restricted.get("taskdaemon", "pair")["status"].get("leader") not in (None, "", leader))

    # It rests, so that all there is to tell is told.
    restricted.kubectl("patch", "scheduledtask", "ping", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    restricted.wait_ready("ping")
    eventually(lambda: restricted.get("scheduledtask", "ping")["status"]["decided"]["suspended"])
    eventually(lambda: restricted.get("scheduledtask", "ping")["status"]["activeCount"] == 0)
    times = nominal_times()
    untold = {int(datetime.fromisoformat(each).timestamp()) for each in not_started(restricted, "ping")}
    assert [each for each, count in Counter(times).items() if count > 1] == []
    assert set(missing_or_twice(times)) <= untold
    gap = max(after - before for before, after in pairwise(sorted(set(times))))
    assert gap <= LEASE_SECONDS + 2 + PERIOD, times


def not_started(namespace: Namespace, name: str) -> list[str]:
    """Return the nominal times of a task's runs that did not succeed, as their records tell them."""
    runs = [each for each in namespace.list("taskrun") if each["spec"]["taskRef"]["name"] == name]
    return [each["spec"]["scheduledAt"] for each in runs if (each.get("status") or {}).get("outcome") != "Succeeded"]


def process_in(pod: str) -> int:
    """Return the id that the daemon's process in a Pod has outside of it."""
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            is_there = folder.name.isdigit() and f"POD_NAME={pod}".encode() in (folder / "environ").read_bytes()
            if is_there and b"daemon" in (folder / "cmdline").read_bytes():
                return int(folder.name)
    raise LookupError(f"no process of {pod}")


def test_a_daemon_from_the_first_task_to_the_last(
    restricted: Namespace,
    server: str,  # noqa: F811
    tiny_image: str,
) -> None:
    request = {"method": "POST", "url": f"{server}/status/200", "body": "$(TIMEWRIGHT_SCHEDULED_AT)"}
    hello = job_template(image=tiny_image, command=["/bin/sh", "-c", "echo at $TIMEWRIGHT_SCHEDULED_AT"])
    pod = hello["spec"]["template"]["spec"]
    pod["securityContext"] = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    pod["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    restricted.apply(
        daemon_task("ping", f"*/{PERIOD} * * * * *", command=None, http=request),
        daemon_task("call", "*/5 * * * * *", python={"call": "operator:add", "args": [40, 2]}),
        daemon_task("shell", "*/5 * * * * *", command=["sh", "-c", "echo at $TIMEWRIGHT_SCHEDULED_AT"]),
        daemon_task("job", "*/10 * * * * *", command=None, jobTemplate=hello),
    )
    # The operator makes the daemon, and its Pod becomes ready.
    eventually(lambda: restricted.get("taskdaemon", "default"))
    eventually(lambda: restricted.get("deployment", NAME).get("status", {}).get("readyReplicas") == 1)
    eventually(lambda: restricted.get("taskdaemon", "default").get("status", {}).get("leader"))

    # Every kind runs, and is recorded.
    for name in ("ping", "call", "shell", "job"):
        restricted.wait_ready(name)
        eventually(lambda name=name: [each for each in records(restricted, name) if each["outcome"] == "Succeeded"])
    assert "at 20" in next(each for each in records(restricted, "shell") if each["outcome"] == "Succeeded")["output"]
    job = next(each for each in records(restricted, "job") if each["outcome"] == "Succeeded")
    assert job["jobName"]

    # A run by hand starts also while its task is suspended.
    restricted.kubectl("patch", "scheduledtask", "call", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    restricted.wait_ready("call")
    restricted.apply(run("call-now", "call"))
    eventually(lambda: restricted.outcome("call-now") == "Succeeded")

    # A rolling update loses no tick, and starts none twice.
    (before,) = daemon_pods(restricted)
    restricted.kubectl("rollout", "restart", f"deployment/{NAME}")
    restricted.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
    eventually(lambda: daemon_pods(restricted) and before not in daemon_pods(restricted))
    handed_over = len(Answering.asked)
    eventually(lambda: len(Answering.asked) >= handed_over + 3)
    assert missing_or_twice(nominal_times()) == []
    eventually(lambda: restricted.get("scheduledtask", "ping")["status"]["counters"]["succeeded"] >= handed_over)
    counters = restricted.get("scheduledtask", "ping")["status"]["counters"]
    assert (counters["lost"], counters["missed"]) == (0, 0)

    # With the last task the daemon goes.
    restricted.kubectl("delete", "scheduledtask", "--all")
    eventually(lambda: not restricted.get("taskdaemon", "default"), seconds=180)
    eventually(lambda: not restricted.get("deployment", NAME))


def daemon_pods(namespace: Namespace) -> list[str]:
    """Return the names of the daemon's Pods."""
    found = namespace.list("pod")
    return [each["metadata"]["name"] for each in found if each["metadata"]["name"].startswith(NAME)]
