"""A fake cluster for the command line, and a folder for schedules without one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.fake_api import FakeApi
from tests.unit.cli.schedules import Cli
from timewright.cli.cluster import Target


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    with FakeApi(tmp_path) as server:
        yield server


@pytest.fixture
def target(api: FakeApi) -> Target:
    return Target(kubeconfig=str(api.kubeconfig))


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)
