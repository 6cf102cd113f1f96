"""A little of everything that `python -m tests.chaos` does at length."""

from __future__ import annotations

import pytest

from tests.audit.verdict import Verdict
from tests.chaos.scenarios import ALL
from tests.chaos.stage import install_definitions, stage
from tests.cluster.cluster import Cluster
from tests.oracle.robfig import is_available

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(not is_available(), reason="needs a Go toolchain")]

LEASE_SECONDS = 4


@pytest.fixture(scope="module")
def defined(control_plane: Cluster) -> Cluster:
    """The control plane, with the custom resources."""
    install_definitions(control_plane)
    return control_plane


def broken(cluster: Cluster, name: str, times: int) -> Verdict:
    """Let something happen to daemons under load, and judge every tick."""
    scenario = ALL[name]
    with stage(cluster, f"faults-{name}", scenario.load, lease=LEASE_SECONDS) as here:
        here.people.start(edits=scenario.edits)
        scenario.run(here, times)
        return here.settle()


def test_a_leader_that_is_killed_costs_no_more_than_is_recorded(defined: Cluster) -> None:
    verdict = broken(defined, "kill", 2)
    assert verdict.violations == []
    assert verdict.started


def test_a_leader_that_is_told_to_end_loses_nothing(defined: Cluster) -> None:
    verdict = broken(defined, "restart", 1)
    assert verdict.violations == []
    assert verdict.lost == 0
