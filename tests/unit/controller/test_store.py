"""What the operator remembers: the newest version of everything, whatever order news arrives in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.cluster import Cluster, Replica
from timewright.cluster.api import CRON_JOBS, JOBS, SCHEDULED_TASKS, TASK_RUNS
from timewright.controller.prime import relist
from timewright.controller.store import Store, TaskKey, version_of

KEY = TaskKey("shop", "backup")


def run_body(version: int, uid: str = "u", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "now", "namespace": "shop", "uid": uid, "resourceVersion": str(version)},
        "spec": {"taskRef": {"name": "backup"}},
        "status": status,
    }


def job_body(version: int, uid: str = "u", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "backup-29539440",
            "namespace": "shop",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": labels or {"timewright.dev/task": "backup"},
        }
    }


def task_body(version: int, uid: str = "u", **status: Any) -> dict[str, Any]:
    metadata = {"name": "backup", "namespace": "shop", "uid": uid, "resourceVersion": str(version), "generation": 1}
    metadata["creationTimestamp"] = "2026-03-01T12:00:00Z"
    return {"metadata": metadata, "spec": {"schedule": "@daily"}, "status": status}


@given(st.permutations(range(1, 6)))
def test_the_newest_version_wins_whatever_order_news_arrives_in(versions: list[int]) -> None:
    store = Store()
    newest = 0
    for version in versions:
        news = store.put_run(run_body(version, jobName=f"job-{version}"))
        assert news == (KEY if version > newest else None)
        newest = max(newest, version)

    (record,) = store.runs.of(KEY)
    assert record.job_name == "job-5"


def test_versions_are_compared_as_numbers() -> None:
    store = Store()
    store.put_task(task_body(99))

    assert store.put_task(task_body(100)) == KEY
    assert store.put_task(task_body(99)) is None


@pytest.mark.parametrize(
    ("metadata", "version"), [({"resourceVersion": "12"}, 12), ({}, 0), ({"resourceVersion": "later"}, 0)]
)
def test_a_version_that_is_no_number_counts_as_the_oldest(metadata: dict[str, Any], version: int) -> None:
    assert version_of({"metadata": metadata}) == version


def test_an_object_made_anew_under_its_old_name_is_another_one() -> None:
    store = Store()
    store.put_run(run_body(5, uid="old", outcome="Failed"))

    assert store.put_run(run_body(7, uid="new")) == KEY
    store.drop_run(run_body(6, uid="old"))

    (record,) = store.runs.of(KEY)
    assert (record.uid, record.outcome) == ("new", None)


def test_the_end_of_an_older_job_does_not_displace_a_newer_one() -> None:
    store = Store()
    store.put_job(job_body(7, uid="new"))

    store.drop_job(job_body(6, uid="old"))

    (record,) = store.jobs.of(KEY)
    assert (record.uid, record.deleted) == ("new", False)


def test_what_has_gone_does_not_come_back_by_a_list_that_was_made_before() -> None:
    store = Store()
    store.put_run(run_body(5, outcome="Succeeded"))
    store.drop_run(run_body(6, outcome="Succeeded"))

    assert store.put_run(run_body(5, outcome="Succeeded")) is None
    assert store.runs.of(KEY) == []


def test_a_job_that_is_gone_is_remembered_as_it_was_last_seen() -> None:
    store = Store()
    store.put_job(job_body(5))

    assert store.drop_job(job_body(6)) == KEY

    (record,) = store.jobs.of(KEY)
    assert record.deleted
    assert not record.active
    assert store.put_job(job_body(5)) is None


def test_what_we_made_of_a_record_holds_until_an_event_tells_more() -> None:
    store = Store()
    store.put_job(job_body(5))
    (record,) = store.jobs.of(KEY)

    store.jobs.revise(KEY, replace(record, deleting=True))
    assert store.jobs.of(KEY)[0].deleting
    store.put_job(job_body(6))
    assert not store.jobs.of(KEY)[0].deleting


def test_objects_without_our_label_are_nobodys() -> None:
    store = Store()

    assert store.put_job(job_body(5, app="other")) is None
    assert store.put_cron_job(job_body(5, app="other")) is None
    assert store.drop_job(job_body(5, app="other")) is None
    assert store.known_keys() == set()


def test_a_task_of_a_long_name_and_its_children_meet_under_one_key() -> None:
    store = Store()
    name = "nightly-" * 12 + "export"
    task = task_body(1)
    task["metadata"]["name"] = name
    run = run_body(2)
    run["spec"]["taskRef"]["name"] = name

    key = store.put_task(task)

    assert key is not None
    assert store.put_run(run) == key
    assert store.put_job(job_body(3, **{"timewright.dev/task": key.label})) == key
    assert store.known_keys() == {key}


def test_spec_and_status_of_a_task_are_given_out_afresh_each_time() -> None:
    store = Store()
    store.put_task(task_body(1, lastSuccessTime="2026-03-01T12:00:00Z"))

    store.tasks[KEY].parts()[0]["schedule"] = "spoilt"

    assert store.tasks[KEY].parts() == ({"schedule": "@daily"}, {"lastSuccessTime": "2026-03-01T12:00:00Z"})
    assert store.tasks[KEY].last_success == "2026-03-01T12:00:00Z"


async def test_a_list_brings_what_is_new_and_drops_what_is_gone() -> None:
    cluster = Cluster()
    replica = Replica(cluster)
    cluster.task()
    await replica.settle()
    cluster.tick(0)
    cluster.ask()
    assert await relist(replica.operator.api, replica.store, ()) == {KEY}
    assert await relist(replica.operator.api, replica.store, ()) == set()

    for resource, name in (
        (JOBS, "backup-29539440"),
        (TASK_RUNS, "now"),
        (CRON_JOBS, "backup"),
        (SCHEDULED_TASKS, "backup"),
    ):
        cluster.remove(resource, name)
        assert await relist(replica.operator.api, replica.store, ()) == {KEY}

    assert replica.store.known_keys() == set()


async def test_only_the_namespaces_that_are_served_are_listed() -> None:
    cluster = Cluster()
    replica = Replica(cluster)
    cluster.task()

    assert await relist(replica.operator.api, replica.store, ("other",)) == set()
    assert await relist(replica.operator.api, replica.store, ("other", "shop")) == {KEY}


async def test_a_timestamp_beyond_all_calendars_spoils_nothing_for_others() -> None:
    cluster = Cluster()
    replica = Replica(cluster)
    cluster.task()
    cluster.ask(scheduledAt="0001-01-01T00:00:00+01:00")

    await replica.settle()

    assert cluster.of(JOBS)
