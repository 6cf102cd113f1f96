"""What befalls that on which daemons depend: network, API server, etcd and clock. One function each.

Each leaves the stage with somebody who leads.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable

from tests.chaos.measured import Measured, two_replicas
from tests.chaos.partition import Partition
from tests.chaos.stage import ROOT, Stage
from tests.integration.daemon_process import DaemonProcess
from tests.objects import eventually


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


def _leave_one(stage: Stage, make: Callable[[], DaemonProcess]) -> None:
    """Put one new replica in the place of all that run."""
    old = [each for each in stage.replicas if each.running]
    make()
    for each in old:
        each.stop()
    stage.wait_leader(*old)


def outage(stage: Stage, times: int, seconds: float = 30.0) -> Measured:
    """The API server is down for half a minute, then there again."""
    measured = Measured()
    two_replicas(stage)
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


def hangs(stage: Stage, times: int) -> Measured:
    """The API server stands still for a while: what it was asked it does later, whoever has given up by then."""
    measured = Measured()
    for _ in range(times):
        two_replicas(stage)
        stage.wait_runs(time.time())
        stage.deposed.add(stage.wait_leader().pid)
        time.sleep(random.uniform(0.0, 1.0))
        with stage.cluster.hanging("apiserver"):
            measured.faults += 1
            time.sleep(random.uniform(0.3, 3.0) * stage.lease)
        measured.handovers.append(stage.wait_runs(time.time()))
    return measured


def storage(stage: Stage, times: int) -> Measured:
    """etcd is killed, and comes back after some seconds: the API server answers, but with errors."""
    measured = Measured()
    for _ in range(times):
        two_replicas(stage)
        stage.wait_runs(time.time())
        stage.deposed.add(stage.wait_leader().pid)
        with stage.cluster.without("etcd"):
            measured.faults += 1
            time.sleep(random.uniform(0.0, 3.0) * stage.lease)
        measured.handovers.append(stage.wait_runs(time.time()))
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
        stage.deposed.add(leader.pid)  # by its clock nobody can tell which of its runs were going on at once
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
