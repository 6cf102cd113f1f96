"""Real ticks of the native controller, recorded whatever happens to the operator."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.conftest import SYSTEM
from tests.objects import Namespace, eventually, job_template, run, task

pytestmark = pytest.mark.kubelet

MINUTELY = "* * * * *"


def stop_operator(namespace: Namespace) -> None:
    namespace.cluster.kubectl("-n", SYSTEM, "scale", "deployment", "timewright", "--replicas=0")
    eventually(lambda: not operator_pods(namespace))


def start_operator(namespace: Namespace) -> None:
    namespace.cluster.kubectl("-n", SYSTEM, "scale", "deployment", "timewright", "--replicas=1")


def operator_pods(namespace: Namespace) -> list[str]:
    selector = "app.kubernetes.io/name=timewright,app.kubernetes.io/component=operator"
    return namespace.cluster.kubectl("-n", SYSTEM, "get", "pods", "-l", selector, "-o", "name").stdout.split()


def scheduled_runs(namespace: Namespace) -> list[dict[str, Any]]:
    runs = [each for each in namespace.list("taskrun") if each["spec"]["trigger"] == "Schedule"]
    return sorted(runs, key=lambda each: each["spec"]["scheduledAt"])


def finished(namespace: Namespace) -> list[dict[str, Any]]:
    return [each for each in scheduled_runs(namespace) if (each.get("status") or {}).get("outcome")]


def test_a_tick_of_any_image_is_told_its_nominal_time_and_recorded(namespace: Namespace, tiny_image: str) -> None:
    script = "echo at $TIMEWRIGHT_SCHEDULED_AT id $TIMEWRIGHT_RUN_ID; exit 7"
    template = job_template(image=tiny_image, command=["/bin/sh", "-c", script])
    template["spec"]["backoffLimit"] = 0
    namespace.apply(task("ticking", schedule=MINUTELY, timeZone="Asia/Kathmandu", jobTemplate=template))
    eventually(lambda: finished(namespace), seconds=180)
    record = finished(namespace)[0]
    status, nominal = record["status"], record["spec"]["scheduledAt"]
    assert record["metadata"]["name"] == status["jobName"]
    assert int(status["jobName"].rpartition("-")[2]) * 60 == datetime.fromisoformat(nominal).timestamp()
    assert f"at {nominal} id {status['jobName']}" in status["output"]
    assert (status["outcome"], status["exitCode"]) == ("Failed", 7)
    assert status["startDelaySeconds"] >= 0
    seen = namespace.get("scheduledtask", "ticking")["status"]
    assert seen["counters"]["failed"] >= 1
    assert seen["lastTick"] >= nominal
    assert seen["nextTick"] > nominal


def test_runs_are_recorded_once_though_the_operator_was_away(namespace: Namespace, tiny_image: str) -> None:
    template = job_template(image=tiny_image, command=["/bin/sh", "-c", "exit 0"])
    template["spec"]["ttlSecondsAfterFinished"] = 1
    namespace.apply(task("ticking", schedule=MINUTELY, jobTemplate=template))
    namespace.wait_ready("ticking")
    stop_operator(namespace)
    try:
        eventually(lambda: [job for job in namespace.list("job") if job["status"].get("succeeded")], seconds=180)
        jobs = [job["metadata"]["name"] for job in namespace.list("job")]
        assert not namespace.list("taskrun")
        time.sleep(3)
        assert {job["metadata"]["name"] for job in namespace.list("job")} >= set(jobs), "kept until recorded"
    finally:
        start_operator(namespace)
    eventually(lambda: set(jobs) <= {record["metadata"]["name"] for record in finished(namespace)}, seconds=180)
    eventually(lambda: not {job["metadata"]["name"] for job in namespace.list("job")} & set(jobs), seconds=60)
    for pod in operator_pods(namespace):
        namespace.cluster.kubectl("-n", SYSTEM, "delete", pod, "--force", "--grace-period=0")
    namespace.apply(task("ticking", schedule="0 0 1 1 *", jobTemplate=template))

    def counted() -> bool:
        runs = finished(namespace)
        task_status = namespace.get("scheduledtask", "ticking")["status"]
        return len(runs) == len(scheduled_runs(namespace)) == task_status["counters"]["succeeded"]

    eventually(counted, seconds=180)


def test_records_and_jobs_are_kept_by_count(restricted: Namespace) -> None:
    limits = {
        "successfulRunsHistoryLimit": 2,
        "failedRunsHistoryLimit": 1,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 0,
    }
    parameter = {"name": "code", "type": "integer", "default": 0}
    command = ["sh", "-c", "exit $TIMEWRIGHT_PARAMETER_CODE"]
    restricted.apply(task("kept", command=command, parameters=[parameter], **limits))
    restricted.wait_ready("kept")
    codes = [0, 1, 0, 1, 0]
    for number, code in enumerate(codes):
        restricted.apply(run(f"run-{number}", "kept", parameters={"code": code}))

    def settled() -> bool:
        status = restricted.get("scheduledtask", "kept")["status"]
        counters = status.get("counters") or {}
        return (counters.get("succeeded"), counters.get("failed"), status["activeCount"]) == (3, 2, 0)

    eventually(settled, seconds=180)
    eventually(lambda: len(restricted.list("taskrun")) == 3)
    eventually(lambda: len(restricted.list("job")) == 1)
    outcomes = sorted(each["status"]["outcome"] for each in restricted.list("taskrun"))
    assert outcomes == ["Failed", "Succeeded", "Succeeded"]


def test_forbid_counts_a_run_by_hand_as_active(namespace: Namespace, tiny_image: str) -> None:
    template = job_template(image=tiny_image, command=["/bin/sh", "-c", "sleep 100"])
    namespace.apply(task("long", schedule=MINUTELY, concurrencyPolicy="Forbid", jobTemplate=template, suspend=True))
    namespace.wait_ready("long")
    namespace.apply(run("by-hand", "long"))
    eventually(lambda: namespace.get("cronjob", "long")["status"].get("active"))
    namespace.kubectl("patch", "scheduledtask", "long", "--type=merge", "-p", '{"spec":{"suspend":false}}')
    eventually(lambda: "JobAlreadyActive" in namespace.kubectl("get", "events").stdout, seconds=90)
    assert len(namespace.list("job")) == 1
