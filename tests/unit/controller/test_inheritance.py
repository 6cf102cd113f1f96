"""A daemon is gone for good: the operator goes on from all that it has left, as another replica of it would."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.controller.cluster import NOON, Cluster, Killed, Replica
from tests.unit.controller.test_handover import (
    cron_job,
    edit,
    handed_to_daemon,
    made_by_daemon,
    pass_time,
    status,
    tell,
)
from timewright.cluster.api import JOBS, LEASES, SCHEDULED_TASKS, TASK_DAEMONS, TASK_RUNS
from timewright.controller.reclaim import LOOK_SECONDS, PATIENCE_SECONDS
from timewright.decisions.timetable_of_spec import schedule_id_of, timing_of
from timewright.desired.names import TASK_LABEL
from timewright.desired.tick_job import tick_run_name
from timewright.resources.model import format_time, parse_time
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import Outcome
from timewright.storage.kubernetes.journal import Account, encode, to_annotations
from timewright.timetable.spread import seed_of_task

LONG_ENOUGH = PATIENCE_SECONDS + 2 * LOOK_SECONDS + 10


def minute(number: int) -> int:
    """Return a tick of the task, in UTC seconds."""
    return int(NOON.timestamp()) + 60 * number


def name_of(number: int) -> str:
    return tick_run_name("backup", minute(number))


def outcomes(cluster: Cluster) -> dict[str, str | None]:
    return {name: run["status"].get("outcome") for name, run in cluster.of(TASK_RUNS).items()}


def counted(cluster: Cluster) -> dict[str, int]:
    return {outcome: count for outcome, count in status(cluster)["counters"].items() if count}


def put_run(cluster: Cluster, number: int, outcome: str) -> None:
    """Have the daemon record the run of a tick."""
    at = format_time(NOON + timedelta(minutes=number))
    spec = {"taskRef": {"name": "backup"}, "trigger": "Schedule", "scheduledAt": at}
    cluster.put(TASK_RUNS, {"metadata": made_by_daemon(cluster, name_of(number)), "spec": spec})
    told = {"phase": "Finished", "outcome": outcome, "completionTime": at}
    cluster.edit(TASK_RUNS, name_of(number), lambda body: body.update(status=told))


def put_job(cluster: Cluster, number: int) -> None:
    """Have the daemon make the Job of a tick."""
    cluster.put(JOBS, {"metadata": made_by_daemon(cluster, name_of(number)), "spec": {}})


async def left(cluster: Cluster, *, suspended: bool = False, **spec: Any) -> Replica:
    """Let a daemon die that has told of four ticks; the Lease tells how the fifth ended, and that the sixth began."""
    replica = await handed_to_daemon(cluster, **spec)
    said = ScheduledTaskSpec.model_validate(cluster.of(SCHEDULED_TASKS)["backup"]["spec"])
    schedule_id = schedule_id_of(said, seed=seed_of_task("shop", "backup"))
    decided = {"revision": 1, "scheduleId": schedule_id, "timing": timing_of(said), "suspended": suspended}
    watermark = format_time(datetime.fromtimestamp(minute(4), NOON.tzinfo))
    tell(cluster, watermark=watermark, decided=decided, counters={"succeeded": 4})
    for number in (3, 4):
        put_run(cluster, number, "Succeeded")
    uid = cluster.of(SCHEDULED_TASKS)["backup"]["metadata"]["uid"]
    account = Account(1, minute(5) + 10, {Outcome.FAILED: 1}, schedule_id=schedule_id)
    accounts = [] if suspended else [encode(uid, account)]
    annotations = to_annotations(minute(6), minute(5) + 10, accounts, step=1)
    spec_of_lease = {"holderIdentity": "a", "leaseDurationSeconds": 10}
    cluster.put(
        LEASES, {"metadata": {"name": "timewright-daemon-default", "annotations": annotations}, "spec": spec_of_lease}
    )
    cluster.now = NOON + timedelta(minutes=6, seconds=2)
    return replica


async def test_what_a_daemon_had_counted_is_not_counted_again_and_what_it_had_not_is() -> None:
    cluster = Cluster()
    replica = await left(cluster)
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert status(cluster)["scheduledBy"] == "CronJob"
    assert counted(cluster) == {"succeeded": 4, "failed": 1, "lost": 1}
    assert outcomes(cluster)[name_of(6)] == "Lost"
    assert parse_time(cron_job(cluster)["status"]["lastScheduleTime"]) == NOON + timedelta(minutes=6)


async def test_a_job_that_a_daemon_has_left_is_followed_to_its_end() -> None:
    cluster = Cluster()
    replica = await left(cluster)
    put_job(cluster, 6)
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert status(cluster)["scheduledBy"] == "CronJob"
    assert cluster.of(TASK_RUNS)[name_of(6)]["status"]["phase"] == "Running"
    assert counted(cluster) == {"succeeded": 4, "failed": 1}
    cluster.finish(name_of(6))
    await pass_time(cluster, replica, 3)
    assert outcomes(cluster)[name_of(6)] == "Succeeded"
    assert counted(cluster) == {"succeeded": 5, "failed": 1}


async def test_a_job_that_has_ended_before_is_recorded_as_it_ended() -> None:
    cluster = Cluster()
    replica = await left(cluster, concurrencyPolicy="Forbid")
    put_job(cluster, 6)
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert status(cluster)["scheduledBy"] == "Daemon", "its Job is active"
    cluster.finish(name_of(6), succeeded=False)
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert outcomes(cluster)[name_of(6)] == "Failed"
    assert counted(cluster) == {"succeeded": 4, "failed": 2}


async def test_an_end_that_only_its_task_run_tells_counts() -> None:
    cluster = Cluster()
    replica = await left(cluster)
    put_run(cluster, 6, "Cancelled")
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert counted(cluster) == {"succeeded": 4, "failed": 1, "cancelled": 1}


async def test_of_a_task_that_was_suspended_nothing_is_lost() -> None:
    cluster = Cluster()
    replica = await left(cluster, suspended=True)
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert counted(cluster) == {"succeeded": 4}
    assert parse_time(cron_job(cluster)["status"]["lastScheduleTime"]) == NOON + timedelta(minutes=6)


async def test_of_a_task_that_was_about_to_leave_its_cron_job_makes_up_for_what_nobody_has_decided() -> None:
    cluster = Cluster()
    replica = await left(cluster, suspended=True)
    decided = cluster.of(SCHEDULED_TASKS)["backup"]["status"]["decided"]
    tell(cluster, decided={**decided, "spec": json.dumps({"mode": "Daemon", "schedule": "* * * * *"})})
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert counted(cluster) == {"succeeded": 4}
    assert parse_time(cron_job(cluster)["status"]["lastScheduleTime"]) == NOON + timedelta(minutes=4)


async def test_ticks_of_a_pause_that_are_recorded_and_not_told_of_are_counted() -> None:
    cluster = Cluster()
    replica = await left(cluster, suspended=True)
    put_run(cluster, 5, "Skipped")
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert counted(cluster) == {"succeeded": 4, "skipped": 1}


async def test_what_waited_is_cancelled() -> None:
    cluster = Cluster()
    replica = await left(cluster)
    task = cluster.of(SCHEDULED_TASKS)["backup"]
    tell(cluster, decided={**task["status"]["decided"], "queued": [minute(2)]}, counters={"succeeded": 3})
    edit(cluster, mode="CronJob")
    cluster.edit(LEASES, "timewright-daemon-default", lambda body: body["metadata"].update(annotations={}))
    await pass_time(cluster, replica, LONG_ENOUGH)
    assert counted(cluster) == {"succeeded": 3, "cancelled": 1}


async def test_nothing_changes_hands_before_each_open_run_has_its_record() -> None:
    cluster = Cluster()
    replica = await left(cluster)
    # Somebody has made one by that name for another task.
    metadata = {"name": name_of(6), "labels": {TASK_LABEL: "other"}, "ownerReferences": [{"uid": "gone"}]}
    cluster.put(TASK_RUNS, {"metadata": metadata, "spec": {"taskRef": {"name": "other"}}})
    edit(cluster, mode="CronJob")
    for _ in range(round(LONG_ENOUGH)):
        cluster.now += timedelta(seconds=1)
        await replica.reconcile()
    assert status(cluster)["scheduledBy"] == "Daemon"
    cluster.remove(TASK_RUNS, name_of(6))
    await pass_time(cluster, replica, 3)
    assert status(cluster)["scheduledBy"] == "CronJob"
    assert counted(cluster) == {"succeeded": 4, "failed": 1, "lost": 1}


def put_open_run(cluster: Cluster, name: str, phase: str | None, trigger: str = "Manual") -> None:
    """Have the daemon take charge of a run that has no outcome yet."""
    spec = {"taskRef": {"name": "backup"}, "trigger": trigger}
    if trigger == "Schedule":
        spec["scheduledAt"] = format_time(NOON + timedelta(minutes=6))
    cluster.put(TASK_RUNS, {"metadata": made_by_daemon(cluster, name), "spec": spec})
    if phase is not None:
        cluster.edit(TASK_RUNS, name, lambda body: body.update(status={"phase": phase}))


@pytest.mark.parametrize("exists", [False, True])
async def test_runs_by_hand_that_a_daemon_had_begun_are_lost_and_others_are_the_operators(exists: bool) -> None:
    cluster = Cluster()
    replica = await left(cluster)
    put_open_run(cluster, "begun", "Running")
    put_open_run(cluster, "waiting", "Pending")
    put_open_run(cluster, "new", None)
    if exists:  # it has no Pod, but may come back one day
        cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {"replicas": 0}})
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    runs = cluster.of(TASK_RUNS)
    assert (runs["begun"]["status"]["outcome"], runs["begun"]["status"]["reason"]) == ("Lost", "OwnerGone")
    for name in ("waiting", "new"):
        assert runs[name]["status"].get("jobName"), "the operator has started it"
        cluster.finish(runs[name]["status"]["jobName"])
    await pass_time(cluster, replica, 3)
    assert counted(cluster) == {"succeeded": 6, "failed": 1, "lost": 2}


@pytest.mark.parametrize("job", [False, True])
async def test_a_tick_of_which_the_daemon_had_written_that_it_runs(job: bool) -> None:
    cluster = Cluster()
    replica = await left(cluster)
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {"replicas": 0}})
    put_open_run(cluster, name_of(6), "Running", "Schedule")
    if job:
        put_job(cluster, 6)
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, LONG_ENOUGH)
    if job:
        assert counted(cluster) == {"succeeded": 4, "failed": 1}
        cluster.finish(name_of(6))
        await pass_time(cluster, replica, 3)
    assert counted(cluster) == {"succeeded": 4 + job, "failed": 1, **({} if job else {"lost": 1})}


@pytest.mark.parametrize("job", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("count", range(1, 9))
async def test_cut_short_anywhere_each_tick_counts_once(when: str, count: int, job: bool) -> None:
    cluster = Cluster()
    replica = await left(cluster)
    if job:
        put_job(cluster, 6)
    remaining = count

    def die(request: str) -> None:
        nonlocal remaining
        remaining -= 1
        if remaining == 0:
            raise Killed

    edit(cluster, mode="CronJob")
    setattr(cluster, when, die)
    for _ in range(round(2 * LONG_ENOUGH)):
        cluster.now += timedelta(seconds=1)
        try:
            await replica.settle()
        except Killed:
            replica = Replica(cluster)
    assert status(cluster)["scheduledBy"] == "CronJob"
    if job:
        cluster.finish(name_of(6))
        await pass_time(cluster, replica, 3)
    assert counted(cluster) == {"succeeded": 4 + job, "failed": 1, **({} if job else {"lost": 1})}
