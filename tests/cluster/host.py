"""What the host has to have besides Python and Go. Whatever is missing is installed from its own package sources."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import cache
from tests.cluster.command import run
from tests.cluster.errors import ClusterError
from tests.cluster.progress import Progress, say

CNI_PLUGINS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))

_CLUSTER_TOOLS = {"ip": "iproute2", "nsenter": "util-linux", "unshare": "util-linux", "openssl": "openssl"}
_NODE_TOOLS = {"containerd": "containerd", "ctr": "containerd", "runc": "runc"}
_IMAGE_TOOLS = {"buildah": "buildah", "debootstrap": "debootstrap", "tar": "tar", "dpkg-deb": "dpkg"}


class HostError(ClusterError):
    """This machine cannot carry the test cluster."""


def prepare_control_plane() -> None:
    """Make sure that a control plane can be started here."""
    _require_root_and_go()
    install(_missing(_CLUSTER_TOOLS))


def prepare_node() -> None:
    """Make sure that a whole node can be started, and images built, here."""
    _require_root_and_go()
    missing = _missing(_CLUSTER_TOOLS | _NODE_TOOLS | _IMAGE_TOOLS)
    if not any((folder / "bridge").exists() for folder in CNI_PLUGINS):
        missing.add("containernetworking-plugins")
    install(missing)


def is_root() -> bool:
    """Namespaces, mounts and control groups belong to root."""
    return os.geteuid() == 0


def install(packages: set[str]) -> None:
    """Install packages of the operating system, if any are named. Raises HostError where that is for others to do."""
    if not packages:
        return
    names = sorted(packages)
    if shutil.which("apt-get") is None:
        raise HostError(f"install these with this system's package manager, then try again: {', '.join(names)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with cache.locked("apt", waiting_for="apt-get") as board, Progress(f"apt-get install {' '.join(names)}", board):
        run(["apt-get", "update"], env=quiet)
        patient = ["-o", "DPkg::Lock::Timeout=600"]
        run(["apt-get", *patient, "install", "--yes", "--no-install-recommends", *names], env=quiet)
    say(f"installed {' '.join(names)}")


def _require_root_and_go() -> None:
    if not is_root():
        raise HostError("the test cluster needs root; `make test-unit` does not")
    if shutil.which("go") is None:
        raise HostError("the test cluster is built with Go, and no `go` is on PATH; `make test-unit` needs none")


def _missing(tools: Mapping[str, str]) -> set[str]:
    return {package for tool, package in tools.items() if shutil.which(tool) is None}
