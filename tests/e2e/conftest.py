"""The product installed with Helm on a real node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.objects import Namespace

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "timewright"
SYSTEM = "timewright"


def helm_values(image: str) -> list[str]:
    """Return the flags that make the chart use an image that the node has."""
    repository, _, tag = image.rpartition(":")
    return ["--set", f"image.repository={repository}", "--set", f"image.tag={tag}"]


@pytest.fixture(scope="session")
def installed(node: Cluster, image: str, tiny_image: str) -> Cluster:
    """A cluster with a node, on which the operator runs in a Pod, installed from the chart."""
    node.helm(
        "install", "timewright", CHART, "--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "5m",
        *helm_values(image),
    )  # fmt: skip
    return node


@pytest.fixture
def namespace(installed: Cluster) -> Iterator[Namespace]:
    """An empty namespace, removed after the test."""
    Namespace.count += 1
    name = f"test-{Namespace.count}"
    installed.kubectl("create", "namespace", name)
    yield Namespace(installed, name)
    installed.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def restricted(namespace: Namespace) -> Namespace:
    """The namespace, with the restricted Pod Security Standard enforced."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    namespace.cluster.kubectl("label", "namespace", namespace.name, label)
    return namespace
