"""API objects, as real clusters write them, reduced to what decisions look at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from timewright.cluster.observe import observe_cron_job, observe_deployment, observe_job, observe_pod, observe_run
from timewright.resources.vocabulary import Outcome, Phase, Trigger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

JOB: dict[str, Any] = {
    "metadata": {
        "name": "backup-29539440",
        "namespace": "shop",
        "uid": "0b5c",
        "resourceVersion": "812",
        "creationTimestamp": "2026-03-01T12:00:00Z",
        "labels": {"timewright.dev/task": "backup"},
        "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-03-01T13:00:00+01:00"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "other"},
            {"apiVersion": "batch/v1", "kind": "CronJob", "name": "backup", "uid": "c1", "controller": True},
        ],
    },
    "spec": {"backoffLimit": 0, "activeDeadlineSeconds": 90, "suspend": False},
    "status": {"startTime": "2026-03-01T12:00:01Z", "active": 1, "ready": 1, "terminating": 0},
}


def job(**status: Any) -> dict[str, Any]:
    return {**JOB, "status": {**JOB["status"], **status}}


def test_an_active_job_of_a_tick() -> None:
    seen = observe_job(JOB)

    assert (seen.name, seen.uid, seen.controller_uid) == ("backup-29539440", "0b5c", "c1")
    assert (seen.scheduled_at, seen.created_at) == (NOON, NOON)
    assert (seen.ready, seen.active_deadline, seen.time_to_live) == (1, 90, None)
    assert seen.active
    assert seen.task_run_name == "backup-29539440"


def test_a_job_that_completed() -> None:
    seen = observe_job(
        job(
            completionTime="2026-03-01T12:00:09Z",
            succeeded=1,
            conditions=[
                {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": "2026-03-01T12:00:08Z"},
                {"type": "Complete", "status": "True", "lastTransitionTime": "2026-03-01T12:00:10Z"},
            ],
        )
    )

    assert seen.succeeded is True
    assert seen.finished_at == NOON.replace(second=9)
    assert not seen.active


def test_a_job_that_failed() -> None:
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
        "lastTransitionTime": "2026-03-01T12:00:10Z",
    }

    seen = observe_job(job(failed=1, conditions=[{**failed, "type": "FailureTarget"}, failed]))

    assert seen.succeeded is False
    assert seen.finished_at == NOON.replace(second=10)
    assert (seen.failure_reason, seen.failure_message) == (failed["reason"], failed["message"])


@pytest.mark.parametrize(
    "conditions",
    [
        None,
        [],
        [{"type": "Suspended", "status": "True"}],
        [{"type": "Complete", "status": "False"}],
        [{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}],
    ],
)
def test_a_job_is_finished_by_complete_or_failed_alone(conditions: Any) -> None:
    assert not observe_job(job(conditions=conditions)).finished


def test_a_job_that_was_just_made_has_next_to_nothing() -> None:
    seen = observe_job({"metadata": {"name": "a", "uid": "u", "creationTimestamp": "2026-03-01T12:00:00Z"}})

    assert (seen.start_time, seen.scheduled_at, seen.ready, seen.controller_uid) == (None, None, 0, None)
    assert seen.active


def test_a_job_made_for_a_task_run_names_it() -> None:
    body = {**JOB, "metadata": {**JOB["metadata"], "annotations": {"timewright.dev/run": "now"}}}

    assert observe_job(body).task_run_name == "now"


def test_a_job_on_its_way_out_is_not_active() -> None:
    body = {**JOB, "metadata": {**JOB["metadata"], "deletionTimestamp": "2026-03-01T12:01:00Z"}}

    assert not observe_job(body).active


@pytest.mark.parametrize("text", ["soon", "", None, "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_a_timestamp_that_is_spoilt_counts_as_absent(text: Any) -> None:
    annotations = {"batch.kubernetes.io/cronjob-scheduled-timestamp": text}

    assert observe_job({**JOB, "metadata": {**JOB["metadata"], "annotations": annotations}}).scheduled_at is None


def test_a_cron_job() -> None:
    seen = observe_cron_job(
        {
            "metadata": {
                "name": "backup",
                "uid": "c1",
                "generation": 3,
                "creationTimestamp": "2026-03-01T12:00:00Z",
                "labels": {"timewright.dev/task": "backup", "team": "shop"},
                "annotations": {"timewright.dev/applied": "abc"},
                "ownerReferences": [{"uid": "t1", "controller": True}],
            },
            "status": {"lastScheduleTime": "2026-03-01T12:00:00Z"},
        }
    )

    assert (seen.generation, seen.applied_digest, seen.controller_uid) == (3, "abc", "t1")
    assert seen.last_schedule_time == NOON
    assert seen.labels == {"timewright.dev/task": "backup"}
    assert not seen.deleting


def test_a_task_run_made_by_hand() -> None:
    seen = observe_run(
        {
            "metadata": {
                "name": "now",
                "uid": "r1",
                "resourceVersion": "9",
                "creationTimestamp": "2026-03-01T12:00:00Z",
            },
            "spec": {
                "taskRef": {"name": "backup"},
                "trigger": "Manual",
                "parameters": {"day": "all"},
                "idempotencyKey": "k",
                "override": True,
            },
        }
    )

    assert (seen.task_name, seen.trigger, seen.parameters) == ("backup", Trigger.MANUAL, {"day": "all"})
    assert (seen.idempotency_key, seen.override) == ("k", True)
    assert (seen.phase, seen.outcome, seen.labelled, seen.owner_uid) == (None, None, False, None)


def test_a_finished_task_run_is_kept_small() -> None:
    seen = observe_run(
        {
            "metadata": {"name": "now", "uid": "r1", "resourceVersion": "9"},
            "spec": {"taskRef": {"name": "backup"}, "parameters": {"day": "all"}},
            "status": {
                "phase": "Finished",
                "outcome": "Failed",
                "jobUid": "j",
                "output": "x" * 4000,
                "completionTime": "2026-03-01T12:00:00Z",
            },
        }
    )

    assert (seen.phase, seen.outcome, seen.job_uid) == (Phase.FINISHED, Outcome.FAILED, "j")
    assert (seen.status, seen.parameters) == ({}, None)


def test_words_of_a_newer_operator_do_not_stop_this_one() -> None:
    seen = observe_run(
        {
            "metadata": {"name": "now", "uid": "r1", "resourceVersion": "9"},
            "spec": {"taskRef": {"name": "backup"}, "trigger": "CatchUp"},
            "status": {"phase": "Queued", "outcome": None},
        }
    )

    assert (seen.phase, seen.outcome) == (None, None)


def test_a_pod_that_failed() -> None:
    seen = observe_pod(
        {
            "metadata": {"name": "backup-29539440-x7k2p", "creationTimestamp": "2026-03-01T12:00:00Z"},
            "status": {
                "phase": "Failed",
                "conditions": [
                    {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"},
                    {"type": "PodScheduled", "status": "True"},
                ],
                "initContainerStatuses": [
                    {"name": "wait", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
                ],
                "containerStatuses": [
                    {
                        "name": "main",
                        "state": {
                            "terminated": {
                                "exitCode": 137,
                                "reason": "OOMKilled",
                                "message": "tail",
                                "startedAt": "2026-03-01T12:00:00Z",
                                "finishedAt": "2026-03-01T12:00:09Z",
                            }
                        },
                    }
                ],
            },
        }
    )

    assert (seen.phase, seen.disruption, seen.unschedulable) == ("Failed", "EvictionByEvictionAPI", "")
    wait, main = seen.containers
    assert (wait.name, wait.exit_code) == ("wait", 0)
    assert (main.exit_code, main.terminated_reason, main.message) == (137, "OOMKilled", "tail")
    assert (main.started_at, main.finished_at) == (NOON, NOON.replace(second=9))


def test_a_pod_that_does_not_start() -> None:
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}

    seen = observe_pod(
        {
            "metadata": {"name": "a", "creationTimestamp": "2026-03-01T12:00:00Z"},
            "status": {
                "phase": "Pending",
                "conditions": [unschedulable, {"type": "DisruptionTarget", "status": "False", "reason": "x"}],
                "containerStatuses": [{"name": "main", "state": {"waiting": waiting}}],
            },
        }
    )

    assert (seen.unschedulable, seen.disruption) == ("0/1 nodes", "")
    assert seen.containers[0].waiting_reason == "ImagePullBackOff"
    assert seen.containers[0].exit_code is None


def test_a_container_that_waits_to_be_restarted_tells_how_it_last_ended() -> None:
    seen = observe_pod(
        {
            "metadata": {"name": "a"},
            "status": {
                "containerStatuses": [
                    {
                        "name": "main",
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
                    }
                ]
            },
        }
    )

    assert (seen.containers[0].waiting_reason, seen.containers[0].exit_code) == ("CrashLoopBackOff", 2)


def test_a_pod_without_a_status() -> None:
    assert observe_pod({"metadata": {"name": "a"}}).containers == ()


DEPLOYMENT: dict[str, Any] = {
    "metadata": {
        "name": "timewright-daemon-default",
        "namespace": "shop",
        "uid": "d1",
        "generation": 3,
        "ownerReferences": [{"kind": "TaskDaemon", "name": "default", "uid": "t1", "controller": True}],
    },
    "spec": {"replicas": 2},
    "status": {
        "observedGeneration": 3,
        "replicas": 2,
        "readyReplicas": 1,
        "conditions": [
            {"type": "Available", "status": "True", "message": "Deployment has minimum availability."},
            {"type": "Progressing", "status": "True", "message": "ReplicaSet is progressing."},
        ],
    },
}


def test_a_deployment() -> None:
    seen = observe_deployment(DEPLOYMENT)

    assert (seen.wanted, seen.replicas, seen.ready, seen.available, seen.message) == (2, 2, 1, True, "")
    assert (seen.generation, seen.controller_uid) == (3, "t1")


def test_a_deployment_just_made_and_one_whose_controller_lags() -> None:
    fresh = observe_deployment({"metadata": DEPLOYMENT["metadata"], "spec": {}})
    lagging = observe_deployment({**DEPLOYMENT, "status": {**DEPLOYMENT["status"], "observedGeneration": 2}})

    assert (fresh.wanted, fresh.replicas, fresh.available) == (1, 0, False)
    assert not lagging.available


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}, "exceeded quota"),
        ({"type": "ReplicaFailure", "status": "False", "message": "x"}, ""),
        (
            {"type": "Progressing", "status": "False", "message": "has timed out progressing"},
            "has timed out progressing",
        ),
    ],
)
def test_what_keeps_a_deployment_from_its_pods(condition: dict[str, str], message: str) -> None:
    body = {**DEPLOYMENT, "status": {**DEPLOYMENT["status"], "conditions": [condition]}}

    assert observe_deployment(body).message == message


def test_what_a_daemon_made_names_the_daemon() -> None:
    labels = {"timewright.dev/task": "backup", "timewright.dev/daemon": "night"}
    body = {**JOB, "metadata": {**JOB["metadata"], "labels": labels}}

    assert observe_job(body).daemon == "night"
    assert observe_job(JOB).daemon is None
