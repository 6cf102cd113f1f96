"""Whose the fields of a CronJob are, and when a status waits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.controller.cluster import NAMESPACE, Cluster, Replica
from timewright.cluster.api import CRON_JOBS, SCHEDULED_TASKS
from timewright.controller.apply import fields_handed_to_apply
from timewright.controller.context import BURST, BURST_SECONDS, STATUS_WAITS
from timewright.controller.reconcile import reconcile
from timewright.controller.store import TaskKey


def owner(manager: str, operation: str, **rest: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {}}, **rest}


def test_what_our_creation_set_is_handed_to_our_applies_and_nothing_else_changes() -> None:
    theirs = [owner("kubectl-edit", "Update"), owner("timewright", "Update", subresource="status")]

    assert fields_handed_to_apply([theirs[0], owner("timewright", "Update"), theirs[1]]) == [
        theirs[0],
        owner("timewright", "Apply"),
        theirs[1],
    ]


@pytest.mark.parametrize(
    "managed",
    [[], [owner("timewright", "Apply")], [owner("kubectl", "Update")]],
    ids=["nobody's", "handed over before", "somebody else's"],
)
def test_nothing_to_hand_over(managed: list[dict[str, Any]]) -> None:
    assert fields_handed_to_apply(managed) is None


async def test_the_first_change_of_a_task_hands_over_and_later_ones_only_apply() -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    await replica.settle()
    cron_job = cluster.of(CRON_JOBS)["backup"]
    cron_job["metadata"]["managedFields"] = [owner("timewright", "Update")]

    async def change(schedule: str) -> list[str]:
        cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(schedule=schedule))
        return [each for each in await replica.reconcile() if "cronjobs" in each]

    assert await change("@daily") == ["get cronjobs", "patch cronjobs", "apply cronjobs"]
    cron_job["metadata"]["managedFields"] = [owner("timewright", "Apply")]
    assert await change("@hourly") == ["get cronjobs", "apply cronjobs"]


async def test_amid_a_burst_schedules_come_first_and_statuses_follow() -> None:
    cluster = Cluster()
    replica = Replica(cluster)
    names = [f"task-{number}" for number in range(2 * BURST)]
    for name in names:
        cluster.task(name)

    first = [await replica.reconcile(name) for name in names]
    told = [requests for requests in first if "patch scheduledtasks" in requests]
    assert all("create cronjobs" in requests for requests in first)
    assert len(told) == BURST - 1

    cluster.now += BURST_SECONDS
    second = [await replica.reconcile(name) for name in names]
    assert second == [[]] * (BURST - 1) + [["patch scheduledtasks"]] * (BURST + 1)
    assert not any([await replica.reconcile(name) for name in names])


async def test_in_a_burst_without_end_a_status_waits_only_so_long() -> None:
    cluster = Cluster()
    replica = Replica(cluster)
    step = BURST_SECONDS / (BURST + 1)
    names = [f"task-{number}" for number in range(STATUS_WAITS // step + 2 * BURST)]
    for name in names:
        cluster.task(name)
    await replica.hear()

    for name in names:
        await reconcile(replica.operator, TaskKey(NAMESPACE, name))
        cluster.now += step

    assert await replica.reconcile(names[BURST]) == ["patch scheduledtasks"]
    assert await replica.reconcile(names[3 * BURST]) == []
