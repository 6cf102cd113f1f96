"""What befalls the processes of daemons, one function each. Each leaves the stage with somebody who leads.

Take-over times are from the fault to the first run of a task that is due every second, in seconds.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.load import daemon_task
from tests.chaos.measured import Measured, two_replicas
from tests.chaos.stage import Stage
from tests.objects import eventually

MEMORY = Path("/sys/fs/cgroup/memory")
MEMORY_LIMIT = 220_000_000


def kills(stage: Stage, times: int) -> Measured:
    """`kill -9` of the leader at random instants; another replica takes over, and a new one comes to stand by.

    Every fifth time all replicas are killed at once, and every fifth time the leader's container comes back first, in
    its old Pod, as the kubelet would have it.
    """
    measured = Measured()
    for number in range(times):
        two_replicas(stage)
        leader = stage.wait_leader()
        stage.wait_runs(time.time(), by=leader)
        time.sleep(random.uniform(0.0, 2.0))
        at = time.time()
        leader.kill()
        measured.faults += 1
        if number % 5 == 3:
            for each in stage.replicas:
                each.kill()
        if number % 5 >= 3:
            stage.replica(POD_NAME=leader.identity)
        took = stage.wait_runs(at, besides=leader)
        (measured.handovers if number % 5 >= 3 else measured.takeovers).append(took)
    return measured


def restarts(stage: Stage, times: int) -> Measured:
    """SIGTERM to the leader, as in a rolling update: the next Pod is ready before the old one ends."""
    measured = Measured(may_lose=False)
    two_replicas(stage)
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
    two_replicas(stage)
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


def pauses(stage: Stage, times: int) -> Measured:
    """SIGSTOP of the leader for about as long as the Lease: it may come back just before others take over, or after."""
    measured = Measured()
    for _ in range(times):
        two_replicas(stage)
        leader = stage.wait_leader()
        stage.wait_runs(time.time(), by=leader)
        time.sleep(random.uniform(0.0, 1.0))
        leader.send(signal.SIGSTOP)
        stage.deposed.add(leader.pid)
        measured.faults += 1
        time.sleep(stage.lease * random.uniform(0.6, 1.5))
        leader.send(signal.SIGCONT)
        measured.handovers.append(stage.wait_runs(time.time()))
        # Whoever has the Lease leads alone by now; one that was deposed is about to end.
        time.sleep(1.0)
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
