"""What befalls daemons, one function each. Each leaves the stage with somebody who leads, and returns what it measured.

Take-over times are from the fault to the first run of a task that is due every second, in seconds.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.load import daemon_task, load
from tests.chaos.partition import Partition
from tests.chaos.stage import ROOT, Stage
from tests.chaos.switching import switches, tasks
from tests.integration.daemon_process import DaemonProcess
from tests.integration.installation import install
from tests.integration.operator_process import OperatorProcess
from tests.objects import eventually

Manifest = dict[str, Any]

MEMORY = Path("/sys/fs/cgroup/memory")
MEMORY_LIMIT = 220_000_000


@dataclass
class Measured:
    """What a scenario saw."""

    faults: int = 0
    may_lose: bool = True
    """Whether what a process did when the fault struck may end as Lost."""
    takeovers: list[float] = field(default_factory=list)
    """By a replica that had to wait until the Lease was over."""
    handovers: list[float] = field(default_factory=list)
    """By a replica that was handed the Lease, or whose own place the fault struck."""


def kills(stage: Stage, times: int) -> Measured:
    """`kill -9` of the leader at random instants; another replica takes over, and a new one comes to stand by."""
    measured = Measured()
    _two(stage)
    for _ in range(times):
        leader = stage.wait_leader()
        stage.wait_runs(time.time(), by=leader)
        time.sleep(random.uniform(0.0, 2.0))
        at = time.time()
        leader.kill()
        measured.faults += 1
        measured.takeovers.append(stage.wait_runs(at, besides=leader))
        stage.replica()
    return measured


def restarts(stage: Stage, times: int) -> Measured:
    """SIGTERM to the leader, as in a rolling update: the next Pod is ready before the old one ends."""
    measured = Measured(may_lose=False)
    _two(stage)
    for _ in range(times):
        leader = stage.wait_leader()
        stage.wait_runs(time.time(), by=leader)
        time.sleep(random.uniform(0.0, 2.0))
        at = time.time()
        leader.send(signal.SIGTERM)
        measured.faults += 1
        measured.handovers.append(stage.wait_runs(at, besides=leader))
        stage.replica()
    return measured


def stops(stage: Stage, times: int) -> Measured:
    """SIGSTOP of the leader for longer than the Lease, then SIGCONT: it must find out before it starts anything."""
    measured = Measured()
    _two(stage)
    for _ in range(times):
        leader = stage.wait_leader()
        stage.wait_runs(time.time(), by=leader)
        time.sleep(random.uniform(0.0, 1.0))
        at = time.time()
        leader.send(signal.SIGSTOP)
        stage.deposed.add(leader.pid)
        measured.faults += 1
        measured.takeovers.append(stage.wait_runs(at, besides=leader))
        time.sleep(random.uniform(0.0, stage.lease))
        leader.send(signal.SIGCONT)
        eventually(lambda leader=leader: not leader.running)
        stage.replica()
    return measured


def partitions(stage: Stage, times: int) -> Measured:
    """The leader's way to the API server is cut, and healed after the Lease is over; so is that of a standby."""
    measured = Measured()
    cuts: dict[str, Partition] = {}

    def connected() -> DaemonProcess:
        cut = Partition(stage.cluster)
        made = stage.replica(kubeconfig=cut.kubeconfig(stage.folder / f"kubeconfig-{len(cuts)}"))
        cuts[made.identity] = cut
        return made

    _leave_one(stage, connected)
    connected()
    for _ in range(times):
        leader = stage.wait_leader()
        stage.wait_runs(time.time(), by=leader)
        time.sleep(random.uniform(0.0, 1.0))
        at = time.time()
        cuts[leader.identity].cut()
        stage.deposed.add(leader.pid)
        measured.faults += 1
        # It goes on with what it has claimed until its own clock says that others may have the Lease.
        measured.takeovers.append(stage.wait_runs(at, besides=leader))
        time.sleep(random.uniform(0.0, stage.lease))
        cuts[leader.identity].heal()
        eventually(lambda leader=leader: not leader.running)
        standby = connected()
        cuts[standby.identity].cut()
        time.sleep(2.0)
        cuts[standby.identity].heal()
    _leave_one(stage, stage.replica)
    for each in cuts.values():
        each.close()
    return measured


def outage(stage: Stage, times: int, seconds: float = 30.0) -> Measured:
    """The API server is down for half a minute, then there again."""
    measured = Measured()
    _two(stage)
    for _ in range(times):
        stage.wait_runs(time.time())
        leader = stage.wait_leader()
        with stage.cluster.without("apiserver"):
            measured.faults += 1
            time.sleep(seconds)
        measured.handovers.append(stage.wait_runs(time.time()))
        if stage.wait_leader() is not leader:
            stage.deposed.add(leader.pid)
    return measured


def clocks(stage: Stage, times: int) -> Measured:
    """The leader's wall clock is set ten minutes on, and back; then ten minutes back, and on."""
    measured = Measured()
    library = stage.folder / "clock.so"
    source = ROOT / "tests" / "chaos" / "clock.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    for number in range(times):
        step = stage.folder / f"step-{number}"
        step.write_text("0")
        for each in [each for each in stage.replicas if each.running]:
            each.kill()
        leader = stage.replica(LD_PRELOAD=str(library), CLOCK_STEP=str(step))
        stage.wait_leader()
        stage.wait_runs(time.time(), by=leader)
        time.sleep(random.uniform(1.0, 3.0))
        # Back first: afterwards every tick of the ten minutes to come is decided, and nothing runs for so long.
        for seconds in (-600, 0, 600, 0):
            step.write_text(str(seconds))
            measured.faults += 1
            time.sleep(10.0)
        leader.send(signal.SIGTERM)
        stage.replica()
        stage.wait_leader(leader)
    return measured


def memory(stage: Stage, times: int) -> Measured:
    """The kernel kills the leader since one of its tasks takes more memory than its control group has."""
    measured = Measured()
    flag = Path(f"{stage.trace}.devour")
    devourer = daemon_task("devourer", "*/2 * * * * *", python={"call": "tests.audit.traced:devour", "args": [256]})
    with _group(stage.name) as group:
        join = ("sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh")
        for number in range(times):
            group.joinpath("memory.limit_in_bytes").write_text(str(MEMORY_LIMIT))
            for each in [each for each in stage.replicas if each.running]:
                each.kill()
            leader = stage.replica(*join)
            stage.wait_leader()
            stage.replica()
            if number == 0:
                stage.namespace.apply(devourer)
            stage.wait_runs(time.time(), by=leader)
            flag.touch()
            eventually(lambda leader=leader: not leader.running)
            at = time.time()
            flag.unlink()
            measured.faults += 1
            assert leader.exit_code == -signal.SIGKILL, leader.log()
            measured.takeovers.append(stage.wait_runs(at, besides=leader))
    return measured


def switch(stage: Stage, times: int) -> Measured:
    """Tasks change their mode, to and fro, while the operator and the daemon that leads are killed by turns."""
    kubeconfig = install(stage.cluster, stage.folder)
    process = OperatorProcess(stage.cluster, kubeconfig, stage.folder / "operator.log")
    try:
        process.lead()
        _two(stage)
        return Measured(faults=switches(stage, times, process))
    finally:
        process.stop()


@dataclass(frozen=True)
class Scenario:
    """Something that happens while tasks run."""

    text: str
    times: int
    run: Callable[[Stage, int], Measured]
    load: Callable[[str], list[Manifest]] = load
    people: bool = True
    """Whether tasks are run by hand meanwhile."""
    edits: bool = True
    """Whether tasks are edited meanwhile."""


ALL: dict[str, Scenario] = {
    "kill": Scenario("`kill -9` of the leader at random instants", 100, kills),
    "restart": Scenario("SIGTERM to the leader, as in a rolling update", 10, restarts),
    "stop": Scenario("SIGSTOP of the leader for longer than its Lease, then SIGCONT", 5, stops),
    "partition": Scenario("the leader cut off from the API server, then healed", 5, partitions),
    "outage": Scenario("the API server down for 30 s", 2, outage),
    # Whoever edits a task has the right time, and the leader has not: the auditor could not tell which tick is whose.
    "clock": Scenario("the leader's clock set 10 min back, right, 10 min on, right", 1, clocks, edits=False),
    "memory": Scenario("the leader killed by the kernel for want of memory", 3, memory),
    "switch": Scenario("modes changed, operator and leader killed meanwhile", 8, switch, tasks, people=False),
}
"""By name."""


def _two(stage: Stage) -> None:
    """Have one replica lead and another stand by."""
    while sum(each.running for each in stage.replicas) < 2:
        stage.replica()
    stage.wait_leader()


def _leave_one(stage: Stage, make: Callable[[], DaemonProcess]) -> None:
    """Put one new replica in the place of all that run."""
    old = [each for each in stage.replicas if each.running]
    make()
    for each in old:
        each.stop()
    stage.wait_leader(*old)


@contextlib.contextmanager
def _group(name: str) -> Iterator[Path]:
    group = MEMORY / f"timewright-{name}"
    group.mkdir(exist_ok=True)
    try:
        yield group
    finally:
        for number in group.joinpath("cgroup.procs").read_text().split():
            MEMORY.joinpath("cgroup.procs").write_text(number)
        group.rmdir()
