"""The namespaces and the control group that one cluster lives in.

A process that does nothing holds a network and a mount namespace open. In them the cluster has addresses, a /run, and
the other folders that Kubernetes insists on to itself, so any number of clusters fit on one host. When the last process
of the control group is gone, so are the namespaces with every address, interface and mount in them.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.cluster.cgroup import ControlGroup
from tests.cluster.errors import ClusterError
from tests.cluster.pki import API_SERVER, NODE_ADDRESS
from tests.cluster.processes import ProcessId

# Components get nothing of the caller's environment: a proxy, say, would come between the API server and the kubelet.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}

# Folders that the kubelet, containerd or the network plugins use whatever they are told.
_PRIVATE_FOLDERS = ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log")

# Divides the log of a component that was started more than once.
START_OF_LOG = "=== starting "

# The kernel may lack dummy interfaces, so the addresses go on the loopback: first the ClusterIP of `kubernetes`, which
# the API server listens on itself so that nothing has to translate it, then the node's own.
_HOLD = f"""
set -eu
mount -t tmpfs -o mode=755 tmpfs /run
for folder in {" ".join(_PRIVATE_FOLDERS)}; do
  mkdir -p "$1$folder"
  mount --bind "$1$folder" "$folder"
done
mount --make-rshared /
ip link set lo up
ip address add {API_SERVER}/32 dev lo
ip address add {NODE_ADDRESS}/32 dev lo
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
exec sleep infinity >&- 2>&-
"""


class SandboxError(ClusterError):
    """The namespaces could not be made."""


class Sandbox:
    """Lives in the folder `home`, whose name is the cluster's."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._holder_file = home / "holder.json"
        self._children: list[subprocess.Popen[bytes]] = []
        self.cgroup = ControlGroup(f"timewright-{home.name}")

    def create(self) -> None:
        for folder in _PRIVATE_FOLDERS:
            Path(folder).mkdir(parents=True, exist_ok=True)
        self.cgroup.create()
        holder = self._spawn(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _HOLD, "sh", str(self.home)],
            subprocess.PIPE,
        )
        assert holder.stdout is not None
        with holder.stdout:
            said = holder.stdout.readline().decode()
        if said != "ready\n":
            raise SandboxError(f"cannot make the cluster's namespaces: {said or 'no reason given'}")
        ProcessId.of(holder.pid).write(self._holder_file)

    @property
    def holder(self) -> ProcessId:
        found = ProcessId.read(self._holder_file)
        if found is None:
            raise SandboxError(f"{self.home.name} has no namespaces")
        return found

    @property
    def network(self) -> Path:
        return Path(f"/proc/{self.holder.number}/ns/net")

    def start(self, component: str, command: Sequence[str]) -> ProcessId:
        """Start a component inside, detached from this process; it becomes part of the control group at once."""
        log = self.home / "log" / f"{component}.log"
        with log.open("ab", buffering=0) as output:
            output.write(f"{START_OF_LOG}{component}\n".encode())
            process = self._spawn([*self.enter("--mount"), *command], output.fileno())
        identity = ProcessId.of(process.pid)
        identity.write(self._pid_file(component))
        return identity

    def process(self, component: str) -> ProcessId | None:
        """The process a component was last started as, dead or alive."""
        return ProcessId.read(self._pid_file(component))

    def enter(self, *namespaces: str) -> list[str]:
        """What to put before a command so that it runs in the network, and the given further namespaces."""
        return ["nsenter", f"--target={self.holder.number}", "--net", *namespaces, "--"]

    def signal(self, component: str, number: signal.Signals) -> None:
        process = self.process(component)
        if process is not None and process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(process.number, number)

    def collect(self) -> None:
        """Let go of children that have ended, which would otherwise stay as zombies of a long test run."""
        self._children = [child for child in self._children if child.poll() is None]

    def destroy(self) -> None:
        self.cgroup.kill()
        self.collect()
        self.cgroup.remove()

    def _spawn(self, command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
        join = 'echo $$ > "$1" && shift && exec "$@"'
        child = subprocess.Popen(
            ["sh", "-c", join, "sh", str(self.cgroup.components), *command],
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # An interrupt at the terminal is for the tests, which then bring the cluster down in order.
            start_new_session=True,
        )
        self._children.append(child)
        return child

    def _pid_file(self, component: str) -> Path:
        return self.home / f"{component}.pid.json"
