"""Reconciling against a cluster in memory: no needless request, and the same end whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.cluster import NAMESPACE, NOON, Cluster, Killed, Replica, merged
from timewright.cluster.api import CRON_JOBS, EVENTS, JOBS, PODS, SCHEDULED_TASKS, TASK_RUNS, ApiError
from timewright.cluster.patching import difference
from timewright.controller.reconcile import reconcile
from timewright.controller.store import TaskKey
from timewright.desired.names import manual_job_name

JOB_TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox"}]}}}}


def status(cluster: Cluster, task: str = "backup") -> dict[str, Any]:
    found: dict[str, Any] = cluster.of(SCHEDULED_TASKS)[task]["status"]
    return found


def conditions(cluster: Cluster, task: str = "backup") -> dict[str, str]:
    return {each["type"]: each["status"] for each in status(cluster, task)["conditions"]}


def outcomes(cluster: Cluster) -> dict[str, tuple[str | None, str | None]]:
    return {
        name: ((run.get("status") or {}).get("outcome"), (run.get("status") or {}).get("reason"))
        for name, run in cluster.of(TASK_RUNS).items()
    }


def counters(cluster: Cluster) -> dict[str, int]:
    return {key: value for key, value in status(cluster)["counters"].items() if value}


# The merge patch

json_values = st.recursive(
    st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4)


@given(objects, objects)
def test_the_difference_applied_to_the_old_gives_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merged(old, difference(old, new)) == new


@given(objects)
def test_there_is_no_difference_between_equals(value: dict[str, Any]) -> None:
    assert difference(value, value) == {}


@given(objects, objects)
def test_the_difference_names_nothing_that_stays(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = difference(old, new)

    assert not {key for key in patch if key in old and key in new and old[key] == new[key]}


# The CronJob


async def test_a_new_task_gets_its_cron_job_and_its_status() -> None:
    cluster = Cluster()
    cluster.task()

    requests = await Replica(cluster).reconcile()

    assert requests == ["create cronjobs", "patch scheduledtasks"]
    assert cluster.of(CRON_JOBS)["backup"]["spec"]["schedule"] == "0 0 1 1 *"
    assert conditions(cluster) == {"Accepted": "True", "Ready": "True", "Healthy": "Unknown"}
    assert status(cluster)["nextTick"] == "2027-01-01T00:00:00Z"


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_unchanged_task_costs_no_request(restarted: bool) -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    await replica.settle()

    assert await (Replica(cluster) if restarted else replica).reconcile() == []


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_task_with_active_and_finished_runs_costs_no_request(restarted: bool) -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    await replica.settle()
    cluster.finish(cluster.tick(-2))
    cluster.finish(cluster.tick(-1), succeeded=False)
    cluster.tick(0)
    cluster.ask()
    await replica.settle()
    cluster.edit(
        JOBS,
        manual_job(cluster, "now"),
        lambda job: job.update(status={"startTime": "2026-03-01T12:00:00Z", "ready": 1}),
    )
    await replica.settle()

    assert await (Replica(cluster) if restarted else replica).reconcile() == []


def manual_job(cluster: Cluster, run: str) -> str:
    return manual_job_name(run, cluster.of(TASK_RUNS)[run]["metadata"]["uid"])


@pytest.mark.parametrize(
    "drift",
    [
        lambda cluster: cluster.edit(CRON_JOBS, "backup", lambda body: body["spec"].update(schedule="* * * * *")),
        lambda cluster: cluster.edit(CRON_JOBS, "backup", lambda body: body["spec"].update(suspend=True)),
        lambda cluster: cluster.remove(CRON_JOBS, "backup"),
        lambda cluster: cluster.edit(CRON_JOBS, "backup", lambda body: body["metadata"].pop("labels")),
        lambda cluster: cluster.edit(CRON_JOBS, "backup", lambda body: body["metadata"].pop("annotations")),
    ],
    ids=["edited", "suspended", "deleted", "labels removed", "annotations removed"],
)
async def test_drift_is_put_right(drift: Callable[[Cluster], None]) -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    await replica.settle()
    wanted = cluster.of(CRON_JOBS)["backup"]["spec"].copy()

    drift(cluster)
    await replica.settle()

    cron_job = cluster.of(CRON_JOBS)["backup"]
    assert cron_job["spec"] == wanted
    assert cron_job["metadata"]["labels"]["timewright.dev/task"] == "backup"
    assert conditions(cluster)["Ready"] == "True"


async def test_a_cron_job_of_somebody_else_is_left_alone() -> None:
    cluster = Cluster()
    foreign = cluster.put(CRON_JOBS, {"metadata": {"name": "backup"}, "spec": {"schedule": "@daily"}})
    cluster.task()

    await Replica(cluster).reconcile()

    assert cluster.of(CRON_JOBS)["backup"] == foreign
    assert conditions(cluster)["Ready"] == "False"


@pytest.mark.parametrize(
    "refused",
    [{"schedule": "61 * * * *"}, {"schedule": "0 0 L * *"}, {"concurrencyPolicy": "Queue"}],
)
async def test_an_edit_is_applied_and_an_edit_that_is_refused_changes_nothing(refused: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    await replica.settle()

    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(schedule="@daily"))
    await replica.settle()
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(refused))
    await replica.settle()

    assert cluster.of(CRON_JOBS)["backup"]["spec"]["schedule"] == "@daily"
    assert conditions(cluster) == {"Accepted": "False", "Ready": "False", "Healthy": "Unknown"}
    assert status(cluster)["acceptedGeneration"] == 2
    assert status(cluster)["observedGeneration"] == 3
    assert [event["reason"] for event in cluster.of(EVENTS).values()] == ["Refused"]


async def test_a_manifest_that_the_api_server_refuses_is_not_sent_over_and_over() -> None:
    cluster = Cluster()
    cluster.task(command=None, jobTemplate=JOB_TEMPLATE)

    def refuse(request: str) -> None:
        if request == "create cronjobs":
            raise ApiError(422, "Invalid", 'unknown field "spec.jobTemplate.spec.template.spec.containrs"')

    cluster.before = refuse
    replica = Replica(cluster)
    await replica.reconcile()

    assert "create cronjobs" not in await replica.reconcile()
    assert "containrs" in next(each["message"] for each in status(cluster)["conditions"] if each["type"] == "Accepted")
    cluster.before = lambda request: None
    cluster.now += timedelta(minutes=11)
    await replica.settle()
    assert conditions(cluster)["Ready"] == "True"


# Crashes


def lifecycle(cluster: Cluster) -> list[Callable[[], object]]:
    """A task with a success, a failure, a run by hand, and limits that let old records go; step by step."""
    return [
        lambda: cluster.task(
            command=None,
            jobTemplate={"spec": {**JOB_TEMPLATE["spec"]}},
            successfulJobsHistoryLimit=1,
            failedJobsHistoryLimit=0,
            successfulRunsHistoryLimit=1,
            failedRunsHistoryLimit=1,
        ),
        lambda: cluster.tick(0),
        lambda: cluster.finish("backup-29539440"),
        lambda: cluster.tick(1),
        lambda: cluster.finish("backup-29539441", succeeded=False),
        lambda: cluster.ask(),
        lambda: cluster.finish(manual_job(cluster, "now")),
        lambda: cluster.tick(2),
    ]


async def play(cluster: Cluster, settle: Callable[[], Any]) -> None:
    for step in lifecycle(cluster):
        cluster.now += timedelta(minutes=1)
        step()
        await settle()


def final_state(cluster: Cluster) -> dict[str, Any]:
    """Return what matters of the cluster, without what only tells in how many steps it came about."""
    run_name = {manual_job_name(name, run["metadata"]["uid"]): name for name, run in cluster.of(TASK_RUNS).items()}
    return {
        "cron job": cluster.of(CRON_JOBS)["backup"]["spec"],
        "jobs": sorted(run_name.get(name, name) for name in cluster.of(JOBS)),
        "runs": outcomes(cluster),
        "counters": counters(cluster),
        "last": (status(cluster)["lastRun"], status(cluster)["lastOutcome"]),
        "active": [each["name"] for each in status(cluster)["active"]],
        "counted": sorted(status(cluster)["countedRuns"]),
    }


EXPECTED_RUNS = {
    "backup-29539441": ("Failed", "BackoffLimitExceeded"),
    "backup-29539442": (None, None),
    "now": ("Succeeded", "Completed"),
}


async def undisturbed() -> tuple[dict[str, Any], int]:
    cluster = Cluster()
    seen: list[str] = []
    cluster.after = seen.append
    replica = Replica(cluster)
    await play(cluster, replica.settle)
    return final_state(cluster), len(seen)


async def test_a_life_without_disturbance() -> None:
    state, _ = await undisturbed()

    assert state["runs"] == EXPECTED_RUNS
    assert state["counters"] == {"succeeded": 2, "failed": 1}
    assert state["last"] == ("now", "Succeeded")
    assert state["jobs"] == ["backup-29539442", "now"]
    assert state["active"] == ["backup-29539442"]


@pytest.mark.parametrize("restarted", [False, True], ids=["retried", "restarted"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_request_changes_nothing_in_the_end(when: str, restarted: bool) -> None:
    """`after` means that the request was carried out, but its answer never arrived."""
    expected, total = await undisturbed()
    assert total > 25

    for fatal in range(total):
        cluster = Cluster()
        replicas = [Replica(cluster)]
        seen = 0

        def kill(_: str, fatal: int = fatal) -> None:
            nonlocal seen
            seen += 1
            if seen == fatal + 1:
                raise Killed

        setattr(cluster, when, kill)

        async def settle(cluster: Cluster = cluster, replicas: list[Replica] = replicas) -> None:
            try:
                await replicas[-1].settle()
            except Killed:
                if restarted:
                    replicas.append(Replica(cluster))
                await replicas[-1].settle()

        await play(cluster, settle)

        assert final_state(cluster) == expected, f"killed {when} request {fatal + 1}"


@pytest.mark.parametrize("every", [2, 3, 5])
async def test_an_operator_that_is_killed_again_and_again_gets_there(every: int) -> None:
    expected, _ = await undisturbed()
    cluster = Cluster()
    seen = 0

    def kill(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen % every == 0:
            raise Killed

    cluster.after = kill

    async def settle() -> None:
        for _ in range(200):
            try:
                if not await Replica(cluster).reconcile():
                    return
            except Killed:
                continue
        raise AssertionError("does not come to rest")

    await play(cluster, settle)

    assert final_state(cluster) == expected


async def test_runs_that_ended_while_the_operator_was_down_are_recorded_when_it_returns() -> None:
    cluster = Cluster()
    cluster.task()
    await Replica(cluster).settle()
    for minute in range(5):
        cluster.finish(cluster.tick(minute), succeeded=minute != 3)

    await Replica(cluster).settle()

    assert counters(cluster) == {"succeeded": 4, "failed": 1}
    assert len(cluster.of(TASK_RUNS)) == 5


async def test_a_record_that_somebody_deletes_is_neither_made_anew_nor_counted_again() -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    await replica.settle()
    job = cluster.tick(0)
    cluster.finish(job)
    await replica.settle()

    cluster.remove(TASK_RUNS, job)
    await replica.settle()
    await Replica(cluster).settle()

    assert cluster.of(TASK_RUNS) == {}
    assert counters(cluster) == {"succeeded": 1}


async def test_a_job_that_vanished_unseen_leaves_a_lost_run() -> None:
    cluster = Cluster()
    cluster.task()
    await Replica(cluster).settle()
    job = cluster.tick(0)
    await Replica(cluster).settle()

    cluster.remove(JOBS, job)
    await Replica(cluster).settle()

    assert outcomes(cluster) == {job: ("Lost", "JobVanished")}
    assert counters(cluster) == {"lost": 1}


# Runs by hand


async def test_a_run_by_hand_starts_at_once_and_the_native_controller_is_told() -> None:
    cluster = Cluster()
    cluster.task(parameters=[{"name": "day", "default": "today"}])
    replica = Replica(cluster)
    await replica.settle()
    cluster.ask(parameters={"day": "all"})

    await replica.settle()

    job = cluster.of(JOBS)[manual_job(cluster, "now")]
    assert {"name": "TIMEWRIGHT_PARAMETER_DAY", "value": "all"} in job["spec"]["template"]["spec"]["containers"][0][
        "env"
    ]
    active = cluster.of(CRON_JOBS)["backup"]["status"]["active"]
    assert [each["uid"] for each in active] == [job["metadata"]["uid"]]
    owners = cluster.of(TASK_RUNS)["now"]["metadata"]["ownerReferences"]
    assert owners[0]["uid"] == cluster.of(SCHEDULED_TASKS)["backup"]["metadata"]["uid"]


async def test_a_suspended_task_runs_by_hand() -> None:
    cluster = Cluster()
    cluster.task(suspend=True)
    cluster.ask()

    await Replica(cluster).settle()

    assert list(cluster.of(JOBS)) == [manual_job(cluster, "now")]
    assert "nextTick" not in status(cluster)


@pytest.mark.parametrize(
    ("spec", "ask", "outcome"),
    [
        ({}, {"parameters": {"colour": "red"}}, ("Failed", "InvalidParameters")),
        ({}, {"trigger": "Schedule"}, ("Failed", "InvalidTrigger")),
        ({"concurrencyPolicy": "Forbid"}, {}, ("Skipped", "Overlap")),
    ],
)
async def test_a_run_by_hand_that_may_not_start_is_told_why(
    spec: dict[str, Any], ask: dict[str, Any], outcome: tuple[str, str]
) -> None:
    cluster = Cluster()
    cluster.task(**spec)
    replica = Replica(cluster)
    await replica.settle()
    cluster.tick(0)
    cluster.ask(**ask)

    await replica.settle()

    assert outcomes(cluster)["now"] == outcome
    assert len(cluster.of(JOBS)) == 1


async def test_runs_by_hand_with_one_key_run_once() -> None:
    cluster = Cluster()
    cluster.task()
    for name in "cab":
        cluster.ask(name, idempotencyKey="k")

    await Replica(cluster).settle()

    assert len(cluster.of(JOBS)) == 1
    assert sorted(str(outcome) for outcome, _ in outcomes(cluster).values()) == ["None", "Skipped", "Skipped"]


async def test_a_run_by_hand_of_no_task_waits_a_little_and_is_told() -> None:
    cluster = Cluster()
    cluster.ask(task="nothing")
    replica = Replica(cluster)
    await replica.hear()

    again = await reconcile(replica.operator, TaskKey(NAMESPACE, "nothing"))
    assert again == 10
    assert outcomes(cluster) == {"now": (None, None)}
    cluster.now += timedelta(seconds=10)
    await replica.settle("nothing")

    assert outcomes(cluster) == {"now": ("Failed", "TaskNotFound")}


async def test_a_run_by_hand_made_anew_under_its_old_name_runs_anew() -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    cluster.ask()
    await replica.settle()
    cluster.finish(manual_job(cluster, "now"))
    await replica.settle()
    cluster.remove(TASK_RUNS, "now")
    await replica.settle()

    cluster.ask()
    await replica.settle()

    assert len(cluster.of(JOBS)) == 2
    cluster.finish(manual_job(cluster, "now"), succeeded=False)
    await replica.settle()
    assert outcomes(cluster) == {"now": ("Failed", "BackoffLimitExceeded")}
    assert counters(cluster) == {"succeeded": 1, "failed": 1}


async def test_a_run_by_hand_that_bears_the_name_of_a_tick_hides_neither() -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    await replica.settle()
    cluster.ask("backup-29539440")
    await replica.settle()
    cluster.finish(manual_job(cluster, "backup-29539440"))
    cluster.finish(cluster.tick(0), succeeded=False)

    await replica.settle()

    assert outcomes(cluster)["backup-29539440"] == ("Succeeded", "Completed")


# Retention


async def test_a_task_that_keeps_no_jobs_and_no_runs_still_counts_them_all() -> None:
    cluster = Cluster()
    limits = ("successfulJobs", "failedJobs", "successfulRuns", "failedRuns")
    spec: dict[str, Any] = {f"{each}HistoryLimit": 0 for each in limits}
    cluster.task(**spec)
    replica = Replica(cluster)
    await replica.settle()
    for minute in range(4):
        cluster.finish(cluster.tick(minute), succeeded=minute % 2 == 0)
        await replica.settle()

    assert (cluster.of(JOBS), cluster.of(TASK_RUNS)) == ({}, {})
    assert counters(cluster) == {"succeeded": 2, "failed": 2}
    assert status(cluster)["lastOutcome"] == "Failed"
    assert status(cluster)["countedRuns"] == []


def task_with_time_to_live(cluster: Cluster, **limits: Any) -> None:
    template = {"spec": {"ttlSecondsAfterFinished": 100, **JOB_TEMPLATE["spec"]}}
    cluster.task(command=None, jobTemplate=template, **limits)


async def test_the_users_time_to_live_begins_once_the_run_is_recorded() -> None:
    cluster = Cluster()
    task_with_time_to_live(cluster)
    replica = Replica(cluster)
    await replica.settle()
    job = cluster.tick(0)
    await replica.settle()
    assert "ttlSecondsAfterFinished" not in cluster.of(JOBS)[job]["spec"]

    cluster.finish(job)
    await replica.settle()

    assert cluster.of(JOBS)[job]["spec"]["ttlSecondsAfterFinished"] == 100


async def test_a_job_beyond_the_limits_is_removed_and_not_asked_to_live_on() -> None:
    cluster = Cluster()
    task_with_time_to_live(cluster, successfulJobsHistoryLimit=0)
    replica = Replica(cluster)
    await replica.settle()
    cluster.finish(cluster.tick(0))

    await replica.settle()

    assert cluster.of(JOBS) == {}


async def test_records_that_are_too_old_go_when_their_time_has_come() -> None:
    cluster = Cluster()
    cluster.task(runsHistoryMaxAgeSeconds=3600)
    replica = Replica(cluster)
    await replica.settle()
    cluster.finish(cluster.tick(0))
    await replica.settle()

    again = await reconcile(replica.operator, TaskKey(NAMESPACE, "backup"))
    assert again == pytest.approx(3600, abs=1)
    cluster.now += timedelta(seconds=3601)
    await replica.hear()
    again = await reconcile(replica.operator, TaskKey(NAMESPACE, "backup"))

    assert cluster.of(TASK_RUNS) == {}
    assert again is not None
    assert again > 1000, "nothing is left that could become too old"


# Status


async def test_a_spread_schedule_becomes_a_cron_job_whose_ticks_the_status_tells() -> None:
    cluster = Cluster()
    cluster.task(schedule="H H * * *")
    await Replica(cluster).settle()

    minute, hour, *rest = cluster.of(CRON_JOBS)["backup"]["spec"]["schedule"].split()
    assert rest == ["*", "*", "*"]
    assert status(cluster)["nextTick"].endswith(f"T{int(hour):02}:{int(minute):02}:00Z")
    assert conditions(cluster)["Accepted"] == "True"


async def test_a_refused_edit_leaves_no_next_tick_in_the_past() -> None:
    cluster = Cluster()
    cluster.task(schedule="0 * * * *")
    replica = Replica(cluster)
    await replica.settle()
    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["spec"].update(schedule="61 * * * *"))

    cluster.now += timedelta(hours=3)
    await replica.settle()

    assert status(cluster).get("nextTick", "9999") > "2026-03-01T15:00:00Z"


async def test_a_status_that_somebody_spoilt_is_written_anew() -> None:
    cluster = Cluster()
    cluster.task()
    replica = Replica(cluster)
    await replica.settle()
    cluster.finish(cluster.tick(0))
    await replica.settle()
    good = status(cluster)

    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body.update(status={"counters": "many"}))
    await replica.settle()

    assert status(cluster)["counters"] == good["counters"]


async def test_the_next_tick_moves_on_after_a_tick() -> None:
    cluster = Cluster()
    cluster.task(schedule="0 * * * *")
    replica = Replica(cluster)
    await replica.settle()
    again = await reconcile(replica.operator, TaskKey(NAMESPACE, "backup"))
    assert again == pytest.approx(3605)
    assert status(cluster)["nextTick"] == "2026-03-01T13:00:00Z"

    cluster.now = NOON + timedelta(hours=1, seconds=5)
    await replica.settle()

    assert status(cluster)["nextTick"] == "2026-03-01T14:00:00Z"


async def test_one_task_never_touches_another() -> None:
    cluster = Cluster()
    cluster.task("backup")
    cluster.task("other", schedule="no schedule at all")
    replica = Replica(cluster)
    await replica.settle("other")
    await replica.settle("backup")
    other = cluster.of(SCHEDULED_TASKS)["other"]

    cluster.finish(cluster.tick(0))
    await replica.settle("backup")

    assert cluster.of(SCHEDULED_TASKS)["other"] == other
    assert conditions(cluster)["Ready"] == "True"


async def test_a_word_of_a_newer_operator_in_the_status_does_not_reset_the_counters() -> None:
    cluster = Cluster()
    cluster.task(successfulRunsHistoryLimit=0, successfulJobsHistoryLimit=0)
    replica = Replica(cluster)
    await replica.settle()
    cluster.finish(cluster.tick(0))
    await replica.settle()

    cluster.edit(SCHEDULED_TASKS, "backup", lambda body: body["status"].update(lastOutcome="Missed"))
    await replica.settle()

    assert counters(cluster) == {"succeeded": 1}


async def test_a_task_run_of_another_task_that_bears_the_name_of_a_tick_holds_nothing_else_up() -> None:
    cluster = Cluster()
    cluster.task("other")
    cluster.task("backup")
    replica = Replica(cluster)
    await replica.settle("backup")
    cluster.ask("backup-29539440", task="other")
    await replica.settle("other")
    cluster.finish(cluster.tick(0))
    cluster.finish(cluster.tick(1))

    for _ in range(3):
        with suppress(ApiError):
            await replica.reconcile("backup")

    assert outcomes(cluster)["backup-29539441"] == ("Succeeded", "Completed")
    assert counters(cluster)["succeeded"] >= 1


async def test_a_run_by_hand_takes_the_place_of_an_active_one_under_replace() -> None:
    cluster = Cluster()
    cluster.task(concurrencyPolicy="Replace")
    replica = Replica(cluster)
    await replica.settle()
    tick = cluster.tick(0)
    await replica.settle()

    cluster.now += timedelta(seconds=30)
    cluster.ask()
    await replica.settle()

    assert list(cluster.of(JOBS)) == [manual_job(cluster, "now")]
    assert outcomes(cluster)[tick] == ("Cancelled", "Replaced")
    assert counters(cluster) == {"cancelled": 1}


async def test_an_image_that_cannot_be_pulled_is_given_up_at_the_deadline_and_recorded_as_that() -> None:
    cluster = Cluster()
    cluster.task(imagePullDeadlineSeconds=60)
    replica = Replica(cluster)
    await replica.settle()
    job = cluster.tick(0)
    uid = cluster.of(JOBS)[job]["metadata"]["uid"]
    cluster.edit(JOBS, job, lambda body: body["status"].update(ready=0))
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such host"}}
    cluster.put(
        PODS,
        {
            "metadata": {"name": "pod", "labels": {"batch.kubernetes.io/controller-uid": uid}},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "task", "state": waiting}]},
        },
    )

    cluster.now += timedelta(seconds=30)
    await replica.reconcile()
    assert cluster.of(TASK_RUNS)[job]["status"]["reason"] == "ImagePullFailed"
    assert "activeDeadlineSeconds" not in cluster.of(JOBS)[job]["spec"]
    cluster.now += timedelta(seconds=31)
    await replica.reconcile()
    assert cluster.of(JOBS)[job]["spec"]["activeDeadlineSeconds"] == 61
    cluster.remove(PODS, "pod")
    await replica.reconcile()
    cluster.finish(job, succeeded=False, reason="DeadlineExceeded")
    await replica.settle()

    assert outcomes(cluster) == {job: ("Failed", "ImagePullFailed")}
    assert "no such host" in cluster.of(TASK_RUNS)[job]["status"]["message"]
