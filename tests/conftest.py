"""The clusters that tests share, and the order of tests. Costs nothing until a test asks for a cluster."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import hypothesis
import pytest

from tests.cluster import Cluster, Options, host, images

# How long an example takes says more about the machine's other guests than about the code.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

# What a test needs follows from the fixtures it uses, so nobody has to remember the marker.
_MARKERS = {"control_plane": "cluster", "node": "kubelet"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, marker in _MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)
    # Quick answers first; it also leaves time to whatever builds the cluster meanwhile.
    items.sort(key=_weight)


def _weight(item: pytest.Item) -> int:
    markers = {marker.name for marker in item.iter_markers()}
    return 2 if "kubelet" in markers else int("cluster" in markers)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A real API server with real controllers, and no node: nothing runs in pods."""
    yield from _cluster(request, Options())


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A whole cluster with one node that runs pods."""
    yield from _cluster(request, Options(node=True))


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, node: Cluster) -> str:
    """The name of the product's image, built from the project's Dockerfile, on the node."""
    with _spoken(request):
        return node.load_image(images.product())


@pytest.fixture(scope="session")
def tiny_image(request: pytest.FixtureRequest, node: Cluster) -> str:
    """The name of an image with a shell that has nothing to do with the product, on the node."""
    with _spoken(request):
        return node.load_image(images.tiny())


def _cluster(request: pytest.FixtureRequest, options: Options) -> Iterator[Cluster]:
    if not host.is_root() or shutil.which("go") is None:
        pytest.skip("the test cluster needs root and Go")
    with _spoken(request):
        cluster = Cluster.create(options)
    try:
        yield cluster
    finally:
        cluster.down()


def _spoken(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    """The first build takes minutes, and its progress is meant for a person, not for the report of a failed test."""
    manager = request.config.pluginmanager.getplugin("capturemanager")
    spoken: AbstractContextManager[None] = manager.global_and_fixture_disabled() if manager else nullcontext()
    return spoken
