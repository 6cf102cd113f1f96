"""Where the demo takes place: in the cluster that KUBECONFIG names, or in one of its own."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tests.cluster import Cluster, Options, images, registry, toolchain
from tests.cluster.command import CommandError

PROJECT = Path(__file__).parent.parent


class Target(Protocol):
    """A cluster to show the product in."""

    image: str | None
    """The operator's image; without one it is the chart's own."""

    kubectl_for_people: str
    """How a person runs kubectl there."""

    def kubectl(
        self, *arguments: str | Path, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl."""
        ...

    def helm(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run helm."""
        ...


class Given:
    """The cluster that KUBECONFIG names, which pulls the image from where the caller has put it."""

    kubectl_for_people = "kubectl"

    def __init__(self) -> None:
        self.image = os.environ.get("IMAGE")

    def kubectl(
        self, *arguments: str | Path, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the host's kubectl, or ours if it has none."""
        return _run([shutil.which("kubectl") or toolchain.kubernetes() / "kubectl", *arguments], stdin, check=check)

    def helm(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the host's helm, or ours if it has none."""
        return _run([shutil.which("helm") or toolchain.helm(), *arguments], None, check=check)


def own() -> "Own":
    """Return the demo's own cluster, started if it does not run."""
    cluster = _running() or Cluster.create(Options(node=True), name=OWN_NAME)
    return Own(cluster, cluster.load_image(images.product()))


def remove_own() -> None:
    """Remove the demo's own cluster, if there is one."""
    if OWN_NAME in registry.names():
        Cluster.open(OWN_NAME).down()


# Two checkouts may show two versions at once.
OWN_NAME = f"demo-{hashlib.sha256(str(PROJECT).encode()).hexdigest()[:8]}"


class Own:
    """An embedded cluster that stays until it is removed, with the image built from this checkout."""

    kubectl_for_people = f"python3 -m tests.cluster kubectl {OWN_NAME}"

    def __init__(self, cluster: Cluster, image: str) -> None:
        self.image: str | None = image
        self.kubectl = cluster.kubectl
        self.helm = cluster.helm


def _running() -> Cluster | None:
    """Return the cluster of an earlier demo, unless the host was restarted since."""
    if OWN_NAME not in registry.names():
        return None
    cluster = Cluster.open(OWN_NAME)
    if all(cluster.is_running(component) for component in cluster.options.components):
        return cluster
    cluster.down()
    return None


def _run(command: Sequence[str | Path], stdin: str | None, *, check: bool) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)  # noqa: S603
    if check and result.returncode != 0:
        raise CommandError(f"{' '.join(map(str, command))}:\n{result.stdout}{result.stderr}")
    return result
