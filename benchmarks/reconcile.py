"""How fast the operator turns ScheduledTasks into CronJobs, beside creating the CronJobs directly.

Needs a control plane, named by KUBECONFIG, that this program may fill and empty: `make bench-reconcile` brings one.
Both sides create with the same client over the same number of connections, and end when a list shows all CronJobs. What
is created directly is what the operator makes of the tasks, an owner included. It is measured in the same run, in equal
parts before and after the operator, so that the ratio holds on any machine.

Per round it prints the ratio, the writes per task, memory and CPU time of the operator, and what a restart with every
task unchanged writes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from timewright.cluster.api import CRON_JOBS, SCHEDULED_TASKS, Api, Resource
from timewright.controller.connection import connect
from timewright.decisions.acceptance import Accepted, accept
from timewright.desired.cron_job import build_cron_job
from timewright.desired.runner_image import RunnerImage
from timewright.resources.crd import custom_resource_definitions

NAMESPACE = "bench"
CONNECTIONS = 48
ROUNDS = 2
"""How often creating directly is measured before the operator, and again after it."""

LIVENESS_PORT, METRICS_PORT = 18080, 19090
DEFINITIONS = Resource("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
NAMESPACES = Resource("/api/v1", "namespaces")

JOB_TEMPLATE = {
    "spec": {
        "template": {
            "spec": {
                "restartPolicy": "OnFailure",
                "containers": [{"name": "hello", "image": "busybox:1.28", "command": ["/bin/sh", "-c", "date"]}],
            }
        }
    }
}
SPEC = {"schedule": "0 0 1 1 *", "jobTemplate": JOB_TEMPLATE}


def task(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "timewright.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": f"task-{number:05}", "namespace": NAMESPACE},
        "spec": SPEC,
    }


def cron_job(number: int, namespace_uid: str) -> dict[str, Any]:
    """Return the CronJob that the operator makes of a task, owned by the namespace for want of the task."""
    verdict = accept(SPEC)
    assert isinstance(verdict, Accepted)
    assert verdict.native is not None
    name = task(number)["metadata"]["name"]
    body = build_cron_job(NAMESPACE, name, "", verdict.spec, verdict.native, RunnerImage("timewright"))
    (owner,) = body["metadata"]["ownerReferences"]
    owner |= {"apiVersion": "v1", "kind": "Namespace", "name": NAMESPACE, "uid": namespace_uid}
    return body


async def create_all(api: Api, resource: Resource, bodies: Iterable[dict[str, Any]]) -> None:
    """Create those objects over 48 connections."""
    left = iter(bodies)

    async def worker() -> None:
        for body in left:
            await api.create(resource, body)

    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))


async def count(api: Api, resource: Resource, which: Callable[[dict[str, Any]], bool] = lambda _: True) -> int:
    return sum([1 async for page in api.list_all(resource, NAMESPACE) for each in page if which(each)])


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 600, every: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the operator did not get there")
        await asyncio.sleep(every)


@contextmanager
def operator() -> Iterator[subprocess.Popen[bytes]]:
    """Run an operator as its own process."""
    environment = {
        **os.environ,
        "TIMEWRIGHT_LIVENESS_PORT": str(LIVENESS_PORT),
        "TIMEWRIGHT_METRICS_PORT": str(METRICS_PORT),
        "TIMEWRIGHT_LOG_LEVEL": "warning",
        "TIMEWRIGHT_OPERATOR_NAMESPACE": NAMESPACE,
        "POD_NAME": f"bench-{time.monotonic_ns()}",
    }
    code = "import sys; from timewright.controller.operator import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def scrape() -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=5) as response:
        text = response.read().decode()
    return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}


def writes(metrics: dict[str, float]) -> float:
    """Return how many requests changed something, the Lease aside."""
    return sum(
        value
        for name, value in metrics.items()
        if name.startswith("timewright_api_requests_total") and 'method="GET"' not in name and "leases" not in name
    )


async def requests(plural: str) -> float:
    """Return how many requests the operator has made for a kind of object."""
    metrics = await asyncio.to_thread(scrape)
    return sum(v for k, v in metrics.items() if k.startswith("timewright_api_requests_total") and plural in k)


def leads() -> bool:
    try:
        return scrape().get('timewright_leader{lease="timewright-operator"}') == 1.0
    except OSError:
        return False


async def leading() -> bool:
    return await asyncio.to_thread(leads)


async def idle() -> bool:
    """Tell whether nothing has been reconciled for two seconds."""
    before = scrape().get("timewright_reconcile_seconds_count", 0.0)
    await asyncio.sleep(2)
    after = scrape()
    return after.get("timewright_queue_depth") == 0.0 and after.get("timewright_reconcile_seconds_count") == before


def memory_and_cpu(pid: int) -> tuple[float, float, float]:
    """Return the present and the highest resident memory in MB, and the CPU seconds used."""
    with open(f"/proc/{pid}/status") as file:  # noqa: PTH123
        fields = dict(line.split(":", 1) for line in file)
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        stat = file.read().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (
        int(fields["VmRSS"].split()[0]) / 1024,
        int(fields["VmHWM"].split()[0]) / 1024,
        (int(stat[11]) + int(stat[12])) / ticks,
    )


async def prepare(api: Api) -> None:
    for body in custom_resource_definitions().values():
        body["metadata"]["namespace"] = None
        await api.apply(DEFINITIONS, body)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "namespace": None}}
    await api.apply(NAMESPACES, namespace)

    async def served() -> bool:
        try:
            await count(api, SCHEDULED_TASKS)
        except Exception:  # noqa: BLE001 - not served yet, in whatever way that shows
            return False
        return True

    await until(served)
    # New definitions keep the API server busy with its own description for a while, which is no part of this.
    await asyncio.sleep(15)
    await empty(api)


async def empty(api: Api) -> None:
    for resource in (SCHEDULED_TASKS, CRON_JOBS):
        await api._request("DELETE", resource, resource.path(NAMESPACE))

    async def gone() -> bool:
        return await count(api, SCHEDULED_TASKS) == 0 and await count(api, CRON_JOBS) == 0

    await until(gone, every=0.5)


async def direct(api: Api, number: int) -> float:
    """Return how many seconds it takes until that many CronJobs, created directly, exist."""
    uid = (await api.get(NAMESPACES, "", NAMESPACE))["metadata"]["uid"]
    bodies = [cron_job(each, uid) for each in range(number)]
    begin = time.monotonic()
    await create_all(api, CRON_JOBS, bodies)
    assert await count(api, CRON_JOBS) == number
    seconds = time.monotonic() - begin
    await empty(api)
    return seconds


def has_status(task: dict[str, Any]) -> bool:
    conditions = (task.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def through_operator(api: Api, number: int) -> dict[str, float]:
    with operator() as process:
        await until(leading)
        before = memory_and_cpu(process.pid)
        begin = time.monotonic()
        await create_all(api, SCHEDULED_TASKS, (task(each) for each in range(number)))

        # Cheap while waiting: the API server is asked only once there have been enough requests.
        async def exist() -> bool:
            return await requests("cronjobs") >= number and await count(api, CRON_JOBS) == number

        await until(exist, every=0.1)
        exist_after = time.monotonic() - begin

        async def told() -> bool:
            return (
                await requests("scheduledtasks") >= number and await count(api, SCHEDULED_TASKS, has_status) == number
            )

        await until(told)
        told_after = time.monotonic() - begin
        await until(idle)
        present, highest, cpu = memory_and_cpu(process.pid)
        result = {
            "exist": exist_after,
            "told": told_after,
            "writes": writes(scrape()) / number,
            "memory": present,
            "highest": highest,
            "cpu": cpu - before[2],
        }
    with operator() as process:
        begin = time.monotonic()
        await until(leading)

        async def all_known() -> bool:
            return scrape().get("timewright_reconcile_seconds_count", 0.0) >= number

        await until(all_known)
        result["restart"] = time.monotonic() - begin
        await until(idle)
        result["restart writes"] = writes(scrape())
        result["restart memory"], result["restart highest"], result["restart cpu"] = memory_and_cpu(process.pid)
    await empty(api)
    return result


async def main(sizes: list[int]) -> None:
    async with await connect() as api:
        await prepare(api)
        for number in sizes:
            before = [await direct(api, number) for _ in range(ROUNDS)]
            got = await through_operator(api, number)
            after = [await direct(api, number) for _ in range(ROUNDS)]
            base = statistics.median(before + after)
            each = ", ".join(f"{seconds:.2f}" for seconds in before + after)
            print(f"\n{number} CronJobs created directly, {CONNECTIONS} connections: {base:.2f} s (median of {each})")
            exist, told = got["exist"], got["told"]
            print(f"{number} ScheduledTasks until their CronJobs exist: {exist:.2f} s, ratio {exist / base:.2f}")
            print(f"{number} ScheduledTasks until their status is Ready: {told:.2f} s, ratio {told / base:.2f}")
            print(f"writes per task: {got['writes']:.2f}")
            print(
                f"operator: {got['memory']:.0f} MB resident ({got['highest']:.0f} MB at most), {got['cpu']:.2f} CPU-s"
            )
            print(
                f"restart, nothing changed: {got['restart writes']:.0f} writes, "
                f"all looked at after {got['restart']:.1f} s, {got['restart memory']:.0f} MB resident "
                f"({got['restart highest']:.0f} MB at most), {got['restart cpu']:.2f} CPU-s",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "sizes", nargs="*", type=int, default=[1000, 10000], help="numbers of tasks, default 1000 10000"
    )
    asyncio.run(main(parser.parse_args().sizes))
