"""Where things break: a namespace with its tasks, replicas that run them, and the auditor who watches it all."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.audit.evidence import gather
from tests.audit.recorder import LEASES, TASKS, ApiProxy, Recorder, recording
from tests.audit.traced import VARIABLE
from tests.audit.verdict import Verdict, judge
from tests.chaos.people import MERGE, People
from tests.chaos.stand_ins import PodEnder, trace_sink
from tests.cluster.cluster import Cluster
from tests.integration.daemon_process import DaemonProcess
from tests.objects import Namespace, eventually
from tests.oracle.robfig import Robfig

ROOT = Path(__file__).parents[2]
LEASE_NAME = "timewright-daemon-default"
UNJUDGED_SECONDS = 2
"""The last seconds before a stage settles: whether their ticks come before that is anybody's guess."""

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def install_definitions(cluster: Cluster) -> None:
    """Install the custom resources alone: daemons need no operator."""
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        body = yaml.safe_load(file.read_text())
        eventually(
            lambda body=body: not cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body), check=False).returncode
        )
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{body['metadata']['name']}", "--timeout=60s")


class Stage:
    """One namespace, with its daemon's replicas as processes."""

    def __init__(
        self, cluster: Cluster, name: str, folder: Path, proxy: ApiProxy, recorder: Recorder, sink: str, lease: int
    ) -> None:
        self.cluster, self.name, self.folder = cluster, name, folder
        self.namespace = Namespace(cluster, name)
        self.proxy, self.recorder, self.sink, self.lease = proxy, recorder, sink, lease
        self.trace = folder / "trace"
        self.replicas: list[DaemonProcess] = []
        self.people = People(proxy, name)
        self.deposed: set[int] = set()
        """Processes that were taken for dead while they went on, by their ids."""

    def replica(self, *before: str, kubeconfig: Path | None = None, **environment: str) -> DaemonProcess:
        """Start another replica, and wait until it stands by or leads."""
        made = DaemonProcess(
            self.cluster,
            self.name,
            kubeconfig or self.cluster.kubeconfig,
            self.folder / f"replica-{len(self.replicas)}.log",
            **{
                VARIABLE: str(self.trace),
                "PYTHONPATH": f"{ROOT / 'operator'}{os.pathsep}{ROOT}",
                "TIMEWRIGHT_LEASE_DURATION_SECONDS": str(self.lease),
                "TIMEWRIGHT_API_WRITES_PER_MINUTE": "3000",
                **environment,
            },
        )
        self.replicas.append(made)
        return made.start(*before)

    def leader(self) -> DaemonProcess | None:
        """Return the replica that holds the Lease, if one does."""
        lease = self.proxy.ask("GET", f"{LEASES.format(self.name)}/{LEASE_NAME}")
        holder = (lease["spec"].get("holderIdentity") or "").partition("/")[0]
        return next((each for each in self.replicas if each.identity == holder and each.running), None)

    def wait_leader(self, *besides: DaemonProcess) -> DaemonProcess:
        """Wait until some other replica than those leads."""

        def other() -> DaemonProcess | None:
            try:
                found = self.leader()
            except OSError:
                return None
            return found if found not in besides else None

        found = eventually(other)
        assert found is not None
        return found

    def wait_runs(self, at: float, *, by: DaemonProcess | None = None, besides: DaemonProcess | None = None) -> float:
        """Wait until a task that runs every second runs again; return how long after an instant that was."""
        self.trace.touch()
        offset = max(0, self.trace.stat().st_size - 200_000)

        def first() -> float | None:
            with self.trace.open() as file:
                file.seek(offset)
                if offset:
                    file.readline()
                lines = [line.split() for line in file if line.startswith("start second-") and line.endswith("\n")]
            for line in lines:
                pid = int(line[5].partition(".")[0])
                is_meant = (by is None or pid == by.pid) and (besides is None or pid != besides.pid)
                if is_meant and float(line[6]) > at:
                    return float(line[6]) - at
            return None

        found = eventually(first)
        assert found is not None
        return found

    def settle(self, seconds: float = 180.0) -> Verdict:
        """Suspend every task, let all come to its end and be told, and judge all that has happened."""
        self.people.stop()
        until = int(time.time()) - UNJUDGED_SECONDS
        for body in self.recorder.tasks():
            path = f"{TASKS.format(self.name)}/{body['metadata']['name']}"
            # What is to be decided on resuming is left undecided meanwhile, so everything comes to rest. A CronJob
            # knows nothing of the kind.
            on_resume = {"onResume": "Latest"} if body["spec"]["mode"] == "Daemon" else {}
            self.proxy.ask("PATCH", path, {"spec": {"suspend": True, **on_resume}}, MERGE)
        deadline = time.monotonic() + seconds
        with Robfig() as oracle:
            while True:
                time.sleep(2.0)
                tasks = self.recorder.tasks()
                lines = self.trace.read_text().splitlines() if self.trace.exists() else []
                jobs, runs = list(self.recorder.jobs.values()), list(self.recorder.task_runs.values())
                found = gather(tasks, jobs, runs, lines, self.people.edits)
                verdict = judge(found, until, oracle, deposed=self.deposed, newborn=self.people.newborn)
                rests = all(_rests(each) for each in tasks)
                if (rests and not verdict.violations) or time.monotonic() > deadline:
                    if not rests:
                        active = [each["metadata"]["name"] for each in tasks if not _rests(each)]
                        verdict.violations.append(f"{', '.join(active)}: still not at rest")
                    return verdict

    def keep(self, folder: Path) -> None:
        """Write all that was seen into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        seen = {"tasks": self.recorder.tasks(), "jobs": self.recorder.jobs, "runs": self.recorder.task_runs}
        for name, content in seen.items():
            (folder / f"{name}.json").write_text(json.dumps(content, indent=1))
        lease = self.proxy.ask("GET", f"{LEASES.format(self.name)}/{LEASE_NAME}")
        (folder / "lease.json").write_text(json.dumps(lease, indent=1))
        (folder / "trace").write_bytes(self.trace.read_bytes())
        for replica in self.replicas:
            (folder / f"{replica.identity}.log").write_text(replica.log())
        print(f"  everything that was seen: {folder}")


@contextmanager
def stage(
    cluster: Cluster, name: str, tasks: Callable[[str], Sequence[dict[str, Any]]], *, lease: int = 4
) -> Iterator[Stage]:
    """Set up a namespace with tasks of its own, and take everything down after the block."""
    cluster.kubectl("create", "namespace", name)
    with tempfile.TemporaryDirectory() as folder, recording(cluster, name) as (proxy, recorder):
        work = Path(folder)
        ender = PodEnder(proxy, name)
        with trace_sink(cluster, work / "trace") as sink:
            set_up = Stage(cluster, name, work, proxy, recorder, sink, lease)
            try:
                set_up.namespace.apply(*tasks(sink))
                yield set_up
            finally:
                set_up.people.stop()
                for each in set_up.replicas:
                    each.stop()
                ender.stop()
                cluster.kubectl("delete", "namespace", name, "--wait=false")


def _rests(task: dict[str, Any]) -> bool:
    status = task.get("status") or {}
    decided = status.get("decided") or {}
    if status.get("scheduledBy") != "Daemon":
        return True
    return bool(decided.get("suspended")) and not (decided.get("claimed") or status["activeCount"])
