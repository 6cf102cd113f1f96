"""TaskRuns made by hand, as far as they can be told without a node."""

from __future__ import annotations

import pytest

from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, eventually, run, task

pytestmark = pytest.mark.cluster

REGION = {"name": "region", "default": "eu", "allowedValues": ["eu", "us"]}


def reason(namespace: Namespace, name: str) -> str | None:
    return (namespace.get("taskrun", name).get("status") or {}).get("reason")


def test_a_task_run_becomes_a_job_of_the_task_and_belongs_to_it(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    namespace.apply(task("report", parameters=[REGION], suspend=True))
    namespace.wait_ready("report")
    namespace.apply(run("now", "report", parameters={"region": "us"}))
    eventually(lambda: namespace.get("taskrun", "now").get("status", {}).get("phase") == "Running")

    record = namespace.get("taskrun", "now")
    job = namespace.get("job", record["status"]["jobName"])
    assert record["status"]["jobUid"] == job["metadata"]["uid"]
    assert record["metadata"]["ownerReferences"][0]["name"] == "report"
    assert job["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    environment = {each["name"]: each.get("value") for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert environment["TIMEWRIGHT_PARAMETER_REGION"] == "us"
    assert environment["TIMEWRIGHT_SCHEDULED_AT"] == record["metadata"]["creationTimestamp"]
    eventually(lambda: namespace.get("scheduledtask", "report")["status"]["activeCount"] == 1)
    active = namespace.get("cronjob", "report")["status"]["active"]
    assert [each["uid"] for each in active] == [job["metadata"]["uid"]], "the native overlap policy sees it too"


def test_the_overlap_policy_holds_for_runs_by_hand(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report", concurrencyPolicy="Forbid"))
    namespace.wait_ready("report")
    namespace.apply(run("first", "report"))
    eventually(lambda: namespace.get("taskrun", "first").get("status", {}).get("phase") == "Running")
    namespace.apply(run("second", "report"))
    eventually(lambda: namespace.outcome("second") == "Skipped")
    assert reason(namespace, "second") == "Overlap"
    namespace.kubectl("wait", "--for=condition=Failed", "taskrun/second", "--timeout=10s")
    namespace.apply(run("third", "report", override=True))
    eventually(lambda: namespace.get("taskrun", "third").get("status", {}).get("phase") == "Running")
    assert len(namespace.list("job")) == 2


def test_replace_cancels_the_active_run(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report", concurrencyPolicy="Replace"))
    namespace.wait_ready("report")
    namespace.apply(run("first", "report"))
    eventually(lambda: namespace.get("taskrun", "first").get("status", {}).get("phase") == "Running")
    namespace.apply(run("second", "report"))
    eventually(lambda: namespace.outcome("first") == "Cancelled")
    assert reason(namespace, "first") == "Replaced"
    eventually(lambda: namespace.get("taskrun", "second").get("status", {}).get("phase") == "Running")
    assert len(namespace.list("job")) == 1


def test_a_deleted_job_ends_its_run(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report"))
    namespace.wait_ready("report")
    namespace.apply(run("first", "report"))
    eventually(lambda: namespace.get("taskrun", "first").get("status", {}).get("phase") == "Running")
    namespace.kubectl("delete", "jobs", "--all")
    eventually(lambda: namespace.outcome("first") == "Cancelled")
    assert reason(namespace, "first") == "JobDeleted"


def test_a_job_that_vanished_while_the_operator_was_down_leaves_a_lost_run(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    namespace.apply(task("report"))
    namespace.wait_ready("report")
    namespace.apply(run("first", "report"))
    eventually(lambda: namespace.get("taskrun", "first").get("status", {}).get("phase") == "Running")
    operator.kill()
    namespace.kubectl("delete", "jobs", "--all")
    operator.lead()
    eventually(lambda: namespace.outcome("first") == "Lost")
    eventually(lambda: namespace.get("scheduledtask", "report")["status"]["counters"]["lost"] == 1)


def test_an_idempotency_key_runs_once(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report"))
    namespace.wait_ready("report")
    namespace.apply(*(run(f"try-{number}", "report", idempotencyKey="order-7") for number in range(4)))
    eventually(lambda: [namespace.outcome(f"try-{number}") for number in range(4)].count("Skipped") == 3)
    assert len(namespace.list("job")) == 1


@pytest.mark.parametrize(
    ("spec", "expected", "told"),
    [
        ({"parameters": {"region": "mars"}}, "InvalidParameters", "'mars' is not among the allowed values"),
        ({"parameters": {"other": 1}}, "InvalidParameters", "the task declares no such parameter"),
        ({"trigger": "Schedule"}, "InvalidTrigger", "leave it out"),
    ],
)
def test_a_wrong_request_is_told_why(
    namespace: Namespace, operator: OperatorProcess, spec: dict[str, object], expected: str, told: str
) -> None:
    namespace.apply(task("report", parameters=[REGION]))
    namespace.wait_ready("report")
    namespace.apply(run("wrong", "report", **spec))
    eventually(lambda: namespace.outcome("wrong") == "Failed")
    status = namespace.get("taskrun", "wrong")["status"]
    assert status["reason"] == expected
    assert told in status["message"]
    assert not namespace.list("job")


def test_a_request_for_no_task_is_told_so(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(run("lost", "nothing"))
    eventually(lambda: namespace.outcome("lost") == "Failed")
    assert reason(namespace, "lost") == "TaskNotFound"


def test_a_task_run_cannot_be_changed(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report"), run("now", "report"))
    result = namespace.apply(run("now", "report", override=True), check=False)
    assert "cannot be changed" in result.stderr


def test_a_refused_task_runs_by_hand_what_its_ticks_run(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report", command=["true"]))
    namespace.wait_ready("report")
    namespace.apply(task("report", command=["false"], schedule="61 * * * *"))
    namespace.wait_refused("report")
    namespace.apply(run("now", "report"))
    eventually(lambda: namespace.list("job"))
    (job,) = namespace.list("job")
    environment = {each["name"]: each.get("value") for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert '"command":["true"]' in (environment["TIMEWRIGHT_DEFINITION"] or "")
