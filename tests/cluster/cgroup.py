"""The control group of a cluster: everything that belongs to it, pods included, and nothing else, is in there."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.cluster.errors import ClusterError

MOUNT = Path("/sys/fs/cgroup")


class ControlGroup:
    """One group of a given name in every hierarchy of the host, with a subgroup for components and one for pods."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._roots = [hierarchy / name for hierarchy in _hierarchies()]
        if not self._roots:
            raise ClusterError(f"there are no control groups at {MOUNT} that may be written to")
        # One hierarchy is enough to know a process by. The kubelet moves pods' processes in all of them.
        self._census = next((root for root in self._roots if root.parent.name == "pids"), self._roots[0])

    @property
    def pods(self) -> str:
        """The kubelet's cgroupRoot."""
        return f"/{self.name}/pods"

    @property
    def components(self) -> Path:
        """A process that writes its number to this file becomes part of the cluster."""
        return self._census / "components" / "cgroup.procs"

    def create(self) -> None:
        for root in self._roots:
            for group in (root, root / "pods", root / "components"):
                group.mkdir(exist_ok=True)
                _inherit_cpuset(group)
                if group.name != "components":
                    _delegate(group)

    def kill(self) -> None:
        """End every process of the group. Repeated, since one that is about to fork may escape a single pass."""
        deadline = time.monotonic() + 30
        while numbers := self.processes():
            for number in numbers:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {numbers} of {self.name} survive SIGKILL")
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """The numbers of the living processes of the group."""
        numbers = []
        for file in self._census.rglob("cgroup.procs"):
            with suppress(OSError):
                numbers += [int(number) for number in file.read_text().split()]
        return numbers

    def remove(self) -> None:
        for root in self._roots:
            groups = sorted((path for path in root.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
            for group in [*groups, root]:
                _remove(group)


def _hierarchies() -> Iterable[Path]:
    """The mounted hierarchies: one on hosts with version 2, one for every controller with version 1."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, options, *_ = line.split()
        path = Path(target)
        if not path.is_relative_to(MOUNT) or "ro" in options.split(","):
            continue
        if kind == "cgroup" or (kind == "cgroup2" and path == MOUNT):
            yield path


def _inherit_cpuset(group: Path) -> None:
    """With version 1 a new group has no processors and no memory until somebody gives it some."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        own, parents = group / name, group.parent / name
        if own.exists() and parents.exists() and not own.read_text().strip():
            own.write_text(parents.read_text())


def _delegate(group: Path) -> None:
    """With version 2 a controller has to be handed down, level by level."""
    available = group / "cgroup.controllers"
    if not available.exists():
        return
    for controller in available.read_text().split():
        for level in (group.parent, group):
            with suppress(OSError):
                (level / "cgroup.subtree_control").write_text(f"+{controller}")


def _remove(group: Path) -> None:
    for _ in range(100):
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
