"""The mode of tasks changed while they are due: no tick is lost, and none is started twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.stage import stage
from tests.chaos.switching import TASKS_OF_A_KIND, switches, tasks
from tests.cluster.cluster import Cluster
from tests.integration.operator_process import OperatorProcess
from tests.oracle.robfig import is_available

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.patient,
    pytest.mark.skipif(not is_available(), reason="needs a Go toolchain"),
]


def test_modes_change_both_ways_while_tasks_are_due(control_plane: Cluster, operator: OperatorProcess) -> None:
    # Nobody is to be away, however slow the machine is.
    with stage(control_plane, "switching", tasks, lease=30) as here:
        here.replica()
        switches(here, 2)
        verdict = here.settle()
        native = [each for each in here.recorder.jobs.values() if _owner(each) == "CronJob"]
        own = [each for each in here.recorder.jobs.values() if _owner(each) == "ScheduledTask"]
    assert verdict.violations == [], "\n".join(verdict.violations)
    assert verdict.ticks == verdict.started, "nobody was away, so nothing was missed"
    # Half of the tasks are with their CronJobs at the last tick, and of the rest each second one is made of Jobs.
    assert len(native) >= 4 * (TASKS_OF_A_KIND // 2)
    assert len(own) >= 2 * (TASKS_OF_A_KIND // 2)


def _owner(job: dict[str, Any]) -> str:
    (owner,) = job["metadata"]["ownerReferences"]
    return str(owner["kind"])
