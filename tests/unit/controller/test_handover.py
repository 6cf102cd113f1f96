"""Ticks change hands: never two who decide, none who forgets, whatever is cut short on the way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.controller.cluster import NOON, Cluster, Killed, Replica
from timewright.cluster.api import CRON_JOBS, JOBS, LEASES, PODS, SCHEDULED_TASKS, TASK_DAEMONS, TASK_RUNS
from timewright.controller.handover import SETTLE_SECONDS, UNCLAIMED_SECONDS
from timewright.controller.reclaim import LOOK_SECONDS, PATIENCE_SECONDS
from timewright.desired.names import DAEMON_LABEL, HANDED_OVER_ANNOTATION, TASK_LABEL
from timewright.resources.model import format_time, parse_time

Change = Callable[[dict[str, Any]], None]
DAEMON = {"mode": "Daemon"}


def status(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.of(SCHEDULED_TASKS)["backup"].get("status") or {}
    return found


def cron_job(cluster: Cluster) -> dict[str, Any]:
    return cluster.of(CRON_JOBS)["backup"]


def edit(cluster: Cluster, **spec: Any) -> None:
    def change(body: dict[str, Any]) -> None:
        body["spec"] = {key: value for key, value in {**body["spec"], **spec}.items() if value is not None}

    cluster.edit(SCHEDULED_TASKS, "backup", change)


def tell(cluster: Cluster, **fields: Any) -> None:
    """Write the status as the daemon does."""
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body.setdefault("status", {}).update(fields))


async def pass_time(cluster: Cluster, replica: Replica, seconds: float, step: float = 1.0) -> None:
    """Reconcile every second, as whoever is woken does."""
    for _ in range(round(seconds / step)):
        cluster.now += timedelta(seconds=step)
        await replica.settle()


async def native(cluster: Cluster, **spec: Any) -> Replica:
    cluster.task(**{"schedule": "* * * * *", **spec})
    replica = Replica(cluster)
    await replica.settle()
    return replica


async def handed_to_daemon(cluster: Cluster, **spec: Any) -> Replica:
    replica = await native(cluster, **spec)
    edit(cluster, **DAEMON)
    await pass_time(cluster, replica, SETTLE_SECONDS + 2)
    assert status(cluster)["scheduledBy"] == "Daemon"
    return replica


def both_decide(cluster: Cluster) -> bool:
    task, found = cluster.of(SCHEDULED_TASKS).get("backup"), cluster.of(CRON_JOBS).get("backup")
    told = (task or {}).get("status") or {}
    return told.get("scheduledBy") == "Daemon" and found is not None and not found["spec"].get("suspend")


# From a CronJob to a daemon


async def test_the_cron_job_is_suspended_and_at_rest_before_the_daemon_gets_the_ticks() -> None:
    cluster = Cluster()
    replica = await native(cluster)

    edit(cluster, **DAEMON)
    await replica.settle()
    assert cron_job(cluster)["spec"]["suspend"] is True
    assert "scheduledBy" not in status(cluster)
    await pass_time(cluster, replica, SETTLE_SECONDS - 1)
    assert "scheduledBy" not in status(cluster)
    await pass_time(cluster, replica, 2)

    told = status(cluster)
    assert (told["scheduledBy"], told["daemon"]) == ("Daemon", "default")


async def test_the_daemon_goes_on_from_the_last_tick_of_which_the_cron_job_made_a_job() -> None:
    cluster = Cluster()
    replica = await native(cluster)
    last = format_time(NOON + timedelta(minutes=3))
    cluster.edit(CRON_JOBS, "backup", lambda body: body.update(status={"lastScheduleTime": last}))

    edit(cluster, **DAEMON)
    await replica.settle()
    cluster.tick(4)  # acted on what it saw before the suspension, and has not written it down yet
    await pass_time(cluster, replica, SETTLE_SECONDS + 2)

    assert parse_time(status(cluster)["watermark"]) == NOON + timedelta(minutes=4)


async def test_without_any_tick_the_daemon_goes_on_from_when_the_cron_job_was_made() -> None:
    cluster = Cluster()
    await handed_to_daemon(cluster)

    assert parse_time(status(cluster)["watermark"]) == NOON


async def test_ticks_of_a_suspended_task_are_not_made_up_for_by_the_daemon() -> None:
    cluster = Cluster()
    replica = await native(cluster, suspend=True)
    cluster.now += timedelta(days=30)

    edit(cluster, mode="Daemon", suspend=False)
    await pass_time(cluster, replica, SETTLE_SECONDS + 2)

    assert parse_time(status(cluster)["watermark"]) > NOON + timedelta(days=30)


async def test_everything_recorded_up_to_then_is_in_the_status_that_the_daemon_gets() -> None:
    cluster = Cluster()
    replica = await native(cluster)
    cluster.finish(cluster.tick(0))
    edit(cluster, **DAEMON)
    await replica.settle()
    cluster.finish(cluster.tick(1), succeeded=False)
    await pass_time(cluster, replica, SETTLE_SECONDS + 2)

    told = status(cluster)
    assert (told["counters"]["succeeded"], told["counters"]["failed"]) == (1, 1)
    assert len(told["countedRuns"]) == 2


def waiting_for(cluster: Cluster) -> str:
    """Return what keeps the ticks from changing hands, as the status tells."""
    (ready,) = [each for each in status(cluster)["conditions"] if each["type"] == "Ready"]
    return str(ready["message"]) if ready["reason"] == "HandingOver" else ""


async def test_a_cron_job_that_forbids_overlap_skips_ticks_until_its_job_has_ended() -> None:
    cluster = Cluster()
    replica = await native(cluster, concurrencyPolicy="Forbid")
    job = cluster.tick(0)

    edit(cluster, **DAEMON)
    await pass_time(cluster, replica, SETTLE_SECONDS + 5)
    assert not cron_job(cluster)["spec"].get("suspend")
    assert job in waiting_for(cluster)
    cluster.finish(job)
    await pass_time(cluster, replica, SETTLE_SECONDS + 2)

    assert status(cluster)["scheduledBy"] == "Daemon"
    assert status(cluster)["counters"]["succeeded"] == 1


async def test_a_job_that_comes_as_the_cron_job_is_suspended_has_to_end_as_well() -> None:
    cluster = Cluster()
    replica = await native(cluster, concurrencyPolicy="Forbid")

    edit(cluster, **DAEMON)
    await replica.settle()
    job = cluster.tick(1)
    await pass_time(cluster, replica, SETTLE_SECONDS + 60)
    assert "scheduledBy" not in status(cluster)
    assert cron_job(cluster)["spec"]["suspend"] is True
    cluster.finish(job)
    await pass_time(cluster, replica, SETTLE_SECONDS + 1)

    assert status(cluster)["scheduledBy"] == "Daemon"
    assert parse_time(status(cluster)["watermark"]) == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("policies", "is_to_wait"),
    [
        ({"concurrencyPolicy": "Replace"}, True),
        ({"concurrencyPolicy": "Queue"}, True),
        ({"maxConcurrent": 2}, True),
        ({"concurrencyPolicy": "Allow"}, False),
    ],
)
async def test_other_cron_jobs_are_suspended_at_once_and_what_is_limited_waits_for_their_jobs(
    policies: dict[str, Any], is_to_wait: bool
) -> None:
    cluster = Cluster()
    replica = await native(cluster)
    job = cluster.tick(0)

    edit(cluster, **DAEMON, **policies)
    await pass_time(cluster, replica, SETTLE_SECONDS + 5)
    assert cron_job(cluster)["spec"]["suspend"] is True
    assert (status(cluster).get("scheduledBy") == "Daemon") is not is_to_wait
    assert (job in waiting_for(cluster)) is is_to_wait
    cluster.finish(job)
    await pass_time(cluster, replica, SETTLE_SECONDS + 1)

    assert status(cluster)["scheduledBy"] == "Daemon"


async def test_a_task_that_is_no_longer_to_change_hands_stays_with_its_cron_job() -> None:
    cluster = Cluster()
    replica = await native(cluster, concurrencyPolicy="Forbid")
    cluster.finish(cluster.tick(0))
    cluster.tick(1)

    edit(cluster, **DAEMON)
    await pass_time(cluster, replica, SETTLE_SECONDS + 5)
    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, 5)

    assert not cron_job(cluster)["spec"].get("suspend")
    assert not waiting_for(cluster)


async def test_a_cron_job_that_somebody_resumes_is_suspended_again() -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)

    cluster.edit(CRON_JOBS, "backup", lambda body: body["spec"].update(suspend=False))
    await replica.settle()

    assert cron_job(cluster)["spec"]["suspend"] is True


async def test_one_resumed_before_it_was_at_rest_begins_anew() -> None:
    cluster = Cluster()
    replica = await native(cluster)
    edit(cluster, **DAEMON)
    await pass_time(cluster, replica, SETTLE_SECONDS - 1)
    cluster.edit(CRON_JOBS, "backup", lambda body: body["spec"].update(suspend=False))
    await pass_time(cluster, replica, SETTLE_SECONDS - 1)

    assert "scheduledBy" not in status(cluster)
    await pass_time(cluster, replica, 3)
    assert status(cluster)["scheduledBy"] == "Daemon"


async def test_a_mode_that_is_taken_back_midway_leaves_the_cron_job_running() -> None:
    cluster = Cluster()
    replica = await native(cluster)
    edit(cluster, **DAEMON)
    await pass_time(cluster, replica, 1)
    edit(cluster, mode=None)
    await pass_time(cluster, replica, 2 * SETTLE_SECONDS)

    assert cron_job(cluster)["spec"]["suspend"] is False
    assert HANDED_OVER_ANNOTATION not in cron_job(cluster)["metadata"]["annotations"]
    assert status(cluster).get("scheduledBy") != "Daemon"


# What is left while a daemon decides


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_task_that_a_daemon_decides_costs_no_request(restarted: bool) -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)
    tell(cluster, observedGeneration=2, counters={"succeeded": 7})

    assert await (Replica(cluster) if restarted else replica).reconcile() == []


async def test_a_new_task_of_the_daemons_costs_no_request_at_all() -> None:
    cluster = Cluster()
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {}})
    cluster.task(**DAEMON)
    tell(cluster, observedGeneration=1)

    assert await Replica(cluster).reconcile() == []
    assert not cluster.of(CRON_JOBS)


async def test_a_run_that_the_cron_job_started_is_settled_and_not_counted_by_the_operator() -> None:
    cluster = Cluster()
    replica = await native(cluster)
    job = cluster.tick(0)
    await replica.settle()
    edit(cluster, **DAEMON)
    await pass_time(cluster, replica, SETTLE_SECONDS + 2)

    before = status(cluster)
    cluster.finish(job)
    await replica.settle()

    assert cluster.of(TASK_RUNS)[job]["status"]["outcome"] == "Succeeded"
    assert status(cluster) == before


def made_by_daemon(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return the metadata of what the daemon makes for the task."""
    owner = {"uid": cluster.of(SCHEDULED_TASKS)["backup"]["metadata"]["uid"], "controller": True, "name": "backup"}
    return {"name": name, "labels": {TASK_LABEL: "backup", DAEMON_LABEL: "default"}, "ownerReferences": [owner]}


def daemon_run(cluster: Cluster, name: str, *, job: bool = False) -> None:
    """Have the daemon start a run."""
    if job:
        cluster.put(JOBS, {"metadata": made_by_daemon(cluster, name), "spec": {}})
    run = {"metadata": made_by_daemon(cluster, name), "spec": {"taskRef": {"name": "backup"}, "trigger": "Schedule"}}
    cluster.put(TASK_RUNS, run)
    cluster.edit(TASK_RUNS, name, lambda body: body.update(status={"phase": "Running"}))


@pytest.mark.parametrize("job", [False, True])
async def test_what_the_daemon_started_is_the_daemons(job: bool) -> None:
    cluster = Cluster()
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {}})
    replica = await handed_to_daemon(cluster)
    tell(cluster, observedGeneration=2)
    daemon_run(cluster, "backup-1", job=job)
    if job:
        cluster.finish("backup-1")
    cluster.ask()

    assert await replica.reconcile() == []


async def test_a_run_that_outlives_the_mode_is_still_the_daemons_and_counted_when_it_ends() -> None:
    cluster = Cluster()
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {}})
    replica = await handed_to_daemon(cluster)
    daemon_run(cluster, "backup-1")
    edit(cluster, mode="CronJob")
    tell(cluster, scheduledBy="CronJob", daemon=None, watermark=format_time(NOON))
    await replica.settle()
    assert "outcome" not in cluster.of(TASK_RUNS)["backup-1"]["status"]

    done = {"phase": "Finished", "outcome": "Succeeded", "completionTime": format_time(cluster.now)}
    cluster.edit(TASK_RUNS, "backup-1", lambda body: body.update(status=done))
    await replica.settle()

    assert status(cluster)["counters"]["succeeded"] == 1


async def test_a_run_of_a_daemon_that_is_no_more_is_lost() -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)
    daemon_run(cluster, "backup-1")
    edit(cluster, mode="CronJob")
    tell(cluster, scheduledBy="CronJob", daemon=None, watermark=format_time(NOON))
    await replica.settle()

    ended = cluster.of(TASK_RUNS)["backup-1"]["status"]
    assert (ended["outcome"], ended["reason"]) == ("Lost", "OwnerGone")


# Who speaks for a daemon that is not there


async def test_a_task_of_a_daemon_that_does_not_exist_is_told_so() -> None:
    cluster = Cluster()
    cluster.task(mode="Daemon", daemon="night")
    await Replica(cluster).settle()

    conditions = {each["type"]: each for each in status(cluster)["conditions"]}
    assert conditions["Accepted"]["status"] == "True"
    assert conditions["Ready"]["reason"] == "DaemonNotFound"
    assert "night" in conditions["Ready"]["message"]


async def test_a_wrong_spec_is_refused_even_if_no_daemon_is_there() -> None:
    cluster = Cluster()
    cluster.task(mode="Daemon", schedule="61 * * * *")
    await Replica(cluster).settle()

    conditions = {each["type"]: each for each in status(cluster)["conditions"]}
    assert conditions["Accepted"]["reason"] == "InvalidSchedule"


# Back to a CronJob


async def given_back(cluster: Cluster, replica: Replica, watermark: str) -> None:
    edit(cluster, mode="CronJob")
    await replica.settle()
    assert cron_job(cluster)["spec"]["suspend"] is True
    tell(cluster, scheduledBy="CronJob", daemon=None, watermark=watermark, decided={"scheduleId": "x"})
    await replica.settle()


async def test_the_cron_job_goes_on_from_the_daemons_last_tick() -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)
    seen: list[tuple[bool, Any]] = []

    def look(request: str) -> None:
        seen.append(
            (cron_job(cluster)["spec"]["suspend"], (cron_job(cluster).get("status") or {}).get("lastScheduleTime"))
        )

    cluster.after = look
    await given_back(cluster, replica, "2026-03-01T12:30:00Z")

    assert cron_job(cluster)["spec"]["suspend"] is False
    assert all(suspended or last == "2026-03-01T12:30:00Z" for suspended, last in seen)
    told = status(cluster)
    assert told["scheduledBy"] == "CronJob"
    assert not {"watermark", "daemon", "decided"} & set(told)


async def test_a_cron_job_that_has_to_be_made_is_made_suspended() -> None:
    cluster = Cluster()
    cluster.task(mode="Daemon", schedule="* * * * *")
    tell(cluster, scheduledBy="Daemon", daemon="default", observedGeneration=1)
    replica = Replica(cluster)
    await replica.settle()
    seen: list[tuple[bool, Any]] = []

    def look(request: str) -> None:
        found = cluster.of(CRON_JOBS).get("backup")
        if found is not None:
            seen.append((found["spec"]["suspend"], (found.get("status") or {}).get("lastScheduleTime")))

    cluster.after = look
    edit(cluster, mode="CronJob")
    tell(cluster, scheduledBy="CronJob", watermark="2026-03-01T11:59:00Z")
    await replica.settle()

    assert seen[0] == (True, None)
    assert seen[-1] == (False, "2026-03-01T11:59:00Z")
    assert all(suspended or last for suspended, last in seen)


async def test_an_older_watermark_does_not_turn_the_cron_job_back() -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)
    cluster.edit(CRON_JOBS, "backup", lambda body: body.update(status={"lastScheduleTime": "2026-03-01T13:00:00Z"}))

    await given_back(cluster, replica, "2026-03-01T12:30:00Z")

    assert cron_job(cluster)["status"]["lastScheduleTime"] == "2026-03-01T13:00:00Z"
    assert cron_job(cluster)["spec"]["suspend"] is False


async def test_a_cron_job_deleted_later_does_not_go_back_to_that_watermark() -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)
    await given_back(cluster, replica, "2026-03-01T12:30:00Z")
    cluster.remove(CRON_JOBS, "backup")
    await replica.settle()

    assert "lastScheduleTime" not in (cron_job(cluster).get("status") or {})


async def test_the_operator_waits_for_the_daemon_as_long_as_its_lease_is_renewed() -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)
    name = "timewright-daemon-default"
    cluster.put(LEASES, {"metadata": {"name": name}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 10}})
    edit(cluster, mode="CronJob")

    for _ in range(20):
        cluster.edit(LEASES, name, lambda body: body["spec"].update(renewTime=format_time(cluster.now)))
        await pass_time(cluster, replica, 5, step=5)

    assert status(cluster)["scheduledBy"] == "Daemon"


@pytest.mark.parametrize("lease", [None, {}, {"holderIdentity": "a", "leaseDurationSeconds": 10}])
async def test_a_task_is_taken_back_from_a_daemon_that_is_gone(lease: dict[str, Any] | None) -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)
    if lease is not None:
        annotations = {"timewright.dev/watermark": str(int(NOON.timestamp()) + 3600)}
        metadata = {"name": "timewright-daemon-default", "annotations": annotations}
        cluster.put(LEASES, {"metadata": metadata, "spec": lease})
    edit(cluster, mode="CronJob")

    await pass_time(cluster, replica, PATIENCE_SECONDS - LOOK_SECONDS)
    assert status(cluster)["scheduledBy"] == "Daemon"
    await pass_time(cluster, replica, 10 + 2 * LOOK_SECONDS)

    assert status(cluster)["scheduledBy"] == "CronJob"
    assert cron_job(cluster)["spec"]["suspend"] is False
    assert parse_time(cron_job(cluster)["status"]["lastScheduleTime"]) == NOON, "the daemon has never begun with it"


async def test_it_is_taken_back_once_the_jobs_of_that_daemon_have_ended_if_they_must_not_overlap() -> None:
    cluster = Cluster()
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {}})
    replica = await handed_to_daemon(cluster, concurrencyPolicy="Forbid")
    daemon_run(cluster, "backup-1", job=True)

    edit(cluster, mode="CronJob")
    await pass_time(cluster, replica, PATIENCE_SECONDS + LOOK_SECONDS + 10)
    assert status(cluster)["scheduledBy"] == "Daemon"
    cluster.finish("backup-1")
    await pass_time(cluster, replica, LOOK_SECONDS + 2)

    assert status(cluster)["scheduledBy"] == "CronJob"
    assert not cron_job(cluster)["spec"].get("suspend")


async def test_from_one_daemon_to_another_by_way_of_the_operator() -> None:
    cluster = Cluster()
    replica = await handed_to_daemon(cluster)
    edit(cluster, daemon="night")
    tell(cluster, scheduledBy="CronJob", daemon=None, watermark="2026-03-01T12:30:00Z")
    await pass_time(cluster, replica, SETTLE_SECONDS + 2)

    told = status(cluster)
    assert (told["scheduledBy"], told["daemon"]) == ("Daemon", "night")
    assert told["watermark"] == "2026-03-01T12:30:00Z"
    assert cron_job(cluster)["spec"]["suspend"] is True


# Tasks that nobody has decided yet


async def test_a_task_edited_before_anybody_saw_it_is_given_to_whom_it_names() -> None:
    cluster = Cluster()
    cluster.task()
    edit(cluster, **DAEMON)
    await Replica(cluster).settle()

    assert (status(cluster)["scheduledBy"], status(cluster)["daemon"]) == ("Daemon", "default")


async def test_one_whose_cron_job_was_made_unseen_is_handed_over() -> None:
    cluster = Cluster()
    cluster.task()

    def die(request: str) -> None:
        if request == "create cronjobs":
            raise Killed

    cluster.after = die
    with suppress(Killed):
        await Replica(cluster).reconcile()
    cluster.after = lambda request: None
    edit(cluster, **DAEMON)
    replica = Replica(cluster)
    await replica.settle()

    assert "scheduledBy" not in status(cluster)
    assert cron_job(cluster)["spec"]["suspend"] is True
    await pass_time(cluster, replica, SETTLE_SECONDS + 1)
    assert status(cluster)["scheduledBy"] == "Daemon"


async def test_one_that_a_daemon_may_have_begun_with_waits_for_it_to_say_so() -> None:
    cluster = Cluster()
    cluster.put(TASK_DAEMONS, {"metadata": {"name": "default"}, "spec": {}})
    cluster.task(**DAEMON)
    edit(cluster, mode="CronJob")
    replica = Replica(cluster)
    await pass_time(cluster, replica, UNCLAIMED_SECONDS - 1)
    assert not cluster.of(CRON_JOBS)

    await pass_time(cluster, replica, 3)
    assert status(cluster)["scheduledBy"] == "CronJob"
    assert cron_job(cluster)["spec"]["suspend"] is False


# Cut short


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("count", range(1, 9))
async def test_a_handover_that_is_cut_short_anywhere_is_completed_and_never_do_both_decide(
    when: str, count: int
) -> None:
    cluster = Cluster()
    replica = await native(cluster)
    cluster.finish(cluster.tick(0))
    await replica.settle()
    left = count

    def watch(request: str) -> None:
        assert not both_decide(cluster), request

    def die(request: str) -> None:
        nonlocal left
        watch(request)
        left -= 1
        if left == 0:
            raise Killed

    async def go_through(seconds: float) -> None:
        nonlocal replica
        for _ in range(round(seconds)):
            cluster.now += timedelta(seconds=1)
            try:
                await replica.settle()
            except Killed:
                replica = Replica(cluster)

    cluster.before, cluster.after = (die, watch) if when == "before" else (watch, die)
    edit(cluster, **DAEMON)
    await go_through(3 * SETTLE_SECONDS)
    assert status(cluster)["scheduledBy"] == "Daemon"
    assert parse_time(status(cluster)["watermark"]) == NOON

    edit(cluster, mode="CronJob")
    tell(cluster, scheduledBy="CronJob", daemon=None, watermark="2026-03-01T12:30:00Z")
    left = count
    await go_through(6)

    assert cron_job(cluster)["spec"]["suspend"] is False
    assert cron_job(cluster)["status"]["lastScheduleTime"] == "2026-03-01T12:30:00Z"
    assert status(cluster)["counters"]["succeeded"] == 1
    assert "watermark" not in status(cluster)
    assert PODS.plural not in {plural for plural, _, _ in cluster.objects}
