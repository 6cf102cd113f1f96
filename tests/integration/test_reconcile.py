"""The operator on a real control plane: everything converges, and nothing is written twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, eventually, job_template, task

pytestmark = pytest.mark.cluster

BACKUP = yaml.safe_load("""
apiVersion: batch/v1
kind: CronJob
metadata:
  name: backup
  labels: {app.kubernetes.io/name: backup}
spec:
  schedule: "7 3 * * 1-5"
  timeZone: Europe/Berlin
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 300
  successfulJobsHistoryLimit: 2
  failedJobsHistoryLimit: 4
  suspend: true
  jobTemplate:
    metadata:
      labels: {team: storage}
      annotations: {note: "kept"}
    spec:
      backoffLimit: 2
      activeDeadlineSeconds: 3600
      ttlSecondsAfterFinished: 600
      template:
        metadata:
          annotations: {sidecar.istio.io/inject: "false"}
        spec:
          restartPolicy: OnFailure
          serviceAccountName: backup
          initContainers:
            - name: wait
              image: busybox:1.36
              command: [sh, -c, "until nc -z db 5432; do sleep 1; done"]
          containers:
            - name: backup
              image: postgres:17
              command: [pg_dump]
              args: ["$(DATABASE)"]
              env:
                - {name: DATABASE, value: shop}
                - name: PGPASSWORD
                  valueFrom: {secretKeyRef: {name: db, key: password}}
              resources: {requests: {cpu: 100m, memory: 0.5Gi}, limits: {cpu: "1000m"}}
              volumeMounts: [{name: dump, mountPath: /dump}]
          volumes: [{name: dump, emptyDir: {sizeLimit: 1024Mi}}]
""")


def test_a_cron_job_manifest_behaves_the_same_once_kind_and_version_are_changed(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    native = json.loads(
        namespace.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(BACKUP)).stdout
    )
    namespace.apply({**BACKUP, "apiVersion": "timewright.dev/v1alpha1", "kind": "ScheduledTask"})
    namespace.wait_ready("backup")
    ours = namespace.get("cronjob", "backup")

    assert ours["metadata"]["ownerReferences"][0]["kind"] == "ScheduledTask"
    assert ours["metadata"]["ownerReferences"][0]["controller"] is True
    spec, wanted = ours["spec"], native["spec"]
    # What is changed is written down: records need Jobs to stay until they are made, and runs are told what they are.
    assert spec.pop("successfulJobsHistoryLimit") == wanted.pop("successfulJobsHistoryLimit") + 60
    assert spec.pop("failedJobsHistoryLimit") == wanted.pop("failedJobsHistoryLimit") + 60
    job, wanted_job = spec["jobTemplate"], wanted["jobTemplate"]
    assert wanted_job["spec"].pop("ttlSecondsAfterFinished") == 600
    for each in (job, job["spec"]["template"]):
        for label in ("app.kubernetes.io/managed-by", "timewright.dev/task"):
            assert each["metadata"]["labels"].pop(label)
    if not job["spec"]["template"]["metadata"]["labels"]:
        del job["spec"]["template"]["metadata"]["labels"]
    for field in ("initContainers", "containers"):
        for container, wanted_container in zip(
            job["spec"]["template"]["spec"][field], wanted_job["spec"]["template"]["spec"][field], strict=True
        ):
            own = [each for each in container.pop("env") if not each["name"].startswith("TIMEWRIGHT_")]
            assert own == wanted_container.pop("env", [])
            assert container.pop("terminationMessagePolicy") == "FallbackToLogsOnError"
            wanted_container.pop("terminationMessagePolicy")
    assert spec == wanted


def test_create_edit_suspend_and_delete_converge(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report", schedule="0 4 * * *"))
    namespace.wait_ready("report")
    assert namespace.get("cronjob", "report")["spec"]["schedule"] == "0 4 * * *"
    assert namespace.get("scheduledtask", "report")["status"]["nextTick"].endswith("T04:00:00Z")

    namespace.apply(task("report", schedule="30 5 * * *", timeZone="Asia/Kathmandu"))
    namespace.wait_ready("report")
    cron_job = namespace.get("cronjob", "report")
    assert (cron_job["spec"]["schedule"], cron_job["spec"]["timeZone"]) == ("30 5 * * *", "Asia/Kathmandu")
    assert namespace.get("scheduledtask", "report")["status"]["nextTick"].endswith("T23:45:00Z")

    namespace.apply(task("report", schedule="30 5 * * *", suspend=True))
    namespace.wait_ready("report")
    cron_job = namespace.get("cronjob", "report")
    assert cron_job["spec"]["suspend"] is True
    assert "timeZone" not in cron_job["spec"], "a field that is no longer said is no longer set"
    assert "nextTick" not in namespace.get("scheduledtask", "report")["status"]

    namespace.kubectl("delete", "scheduledtask", "report")
    eventually(lambda: not namespace.get("cronjob", "report"))


def test_what_the_first_version_of_a_task_said_can_be_taken_back(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    first = {"timeZone": "Asia/Kathmandu", "startingDeadlineSeconds": 60, "env": [{"name": "A", "value": "1"}]}
    namespace.apply(task("report", schedule="0 4 * * *", **first))
    namespace.wait_ready("report")

    namespace.apply(task("report", schedule="0 4 * * *"))
    namespace.wait_ready("report")

    spec = namespace.get("cronjob", "report")["spec"]
    assert not {"timeZone", "startingDeadlineSeconds"} & spec.keys()
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert "A" not in {each["name"] for each in container["env"]}


@pytest.mark.parametrize(
    "drift",
    [
        ["patch", "cronjob", "drifting", "--type=merge", "-p", '{"spec":{"schedule":"1 1 1 1 1"}}'],
        ["patch", "cronjob", "drifting", "--type=merge", "-p", '{"spec":{"suspend":true}}'],
        ["label", "cronjob", "drifting", "app.kubernetes.io/managed-by=me", "--overwrite"],
        ["annotate", "cronjob", "drifting", "timewright.dev/applied-"],
        ["delete", "cronjob", "drifting"],
        ["delete", "cronjob", "drifting", "--cascade=orphan"],
    ],
    ids=lambda drift: " ".join(drift[:1] + drift[3:]),
)
def test_drift_is_put_right(namespace: Namespace, operator: OperatorProcess, drift: list[str]) -> None:
    namespace.apply(task("drifting", schedule="0 4 * * *"))
    namespace.wait_ready("drifting")
    before = namespace.get("cronjob", "drifting")

    namespace.kubectl(*drift)

    def restored() -> bool:
        cron_job = namespace.get("cronjob", "drifting")
        metadata = cron_job.get("metadata") or {}
        return (
            cron_job.get("spec") == before["spec"]
            and metadata["labels"] == before["metadata"]["labels"]
            and metadata["annotations"] == before["metadata"]["annotations"]
        )

    eventually(restored)


def test_what_happened_while_the_operator_was_down_is_made_good(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    namespace.apply(task("edited"), task("deleted"), task("drifted"))
    for name in ("edited", "deleted", "drifted"):
        namespace.wait_ready(name)
    operator.kill()
    namespace.apply(task("edited", schedule="0 5 * * *"), task("new"))
    namespace.kubectl("delete", "scheduledtask", "deleted")
    namespace.kubectl("patch", "cronjob", "drifted", "--type=merge", "-p", '{"spec":{"schedule":"1 1 1 1 1"}}')

    operator.lead()
    for name in ("edited", "new", "drifted"):
        namespace.wait_ready(name)
    eventually(lambda: namespace.get("cronjob", "edited")["spec"]["schedule"] == "0 5 * * *")
    eventually(lambda: namespace.get("cronjob", "drifted")["spec"]["schedule"] == "0 0 1 1 *")
    assert namespace.get("cronjob", "new")
    eventually(lambda: not namespace.get("cronjob", "deleted"))


def test_an_orphaned_cron_job_is_adopted_by_a_task_of_its_name(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("moved"))
    namespace.wait_ready("moved")
    namespace.kubectl("delete", "scheduledtask", "moved", "--cascade=orphan")
    uid = namespace.get("cronjob", "moved")["metadata"]["uid"]

    namespace.apply(task("moved"))
    namespace.wait_ready("moved")
    cron_job = namespace.get("cronjob", "moved")
    assert cron_job["metadata"]["uid"] == uid
    assert [owner["uid"] for owner in cron_job["metadata"]["ownerReferences"]] == [
        namespace.get("scheduledtask", "moved")["metadata"]["uid"]
    ]


@pytest.mark.parametrize("made_by", ["apply", "server-side apply"])
def test_somebody_elses_cron_job_is_left_alone(namespace: Namespace, operator: OperatorProcess, made_by: str) -> None:
    foreign = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "mine"},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": job_template()},
    }
    flags = ["--server-side"] if made_by == "server-side apply" else []
    namespace.kubectl("apply", *flags, "-f", "-", stdin=json.dumps(foreign))
    before = namespace.get("cronjob", "mine")
    namespace.apply(task("mine", jobTemplate=job_template()))
    eventually(lambda: namespace.condition("mine", "Ready").get("reason") == "NameTaken")
    after = namespace.get("cronjob", "mine")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]

    namespace.kubectl("delete", "cronjob", "mine")
    namespace.kubectl("annotate", "scheduledtask", "mine", "try=again")
    namespace.wait_ready("mine")


@pytest.mark.parametrize("length", [52, 53, 63, 64, 200, 253])
def test_long_names_work(namespace: Namespace, operator: OperatorProcess, length: int) -> None:
    name = ("a-long.name-" * 25)[: length - 1] + "z"
    namespace.apply(task(name))
    namespace.wait_ready(name)
    (cron_job,) = namespace.list("cronjob")
    assert len(cron_job["metadata"]["name"]) <= 52
    status: dict[str, Any] = namespace.get("scheduledtask", name)["status"]
    assert status["cronJob"]["name"] == cron_job["metadata"]["name"]


def test_a_kill_in_the_middle_of_many_creations_loses_none(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(*(task(f"task-{number:03}") for number in range(200)), check=True)
    eventually(lambda: len(namespace.list("cronjob")) >= 5)
    operator.kill()
    operator.lead()
    eventually(lambda: len(namespace.list("cronjob")) == 200)

    def all_ready() -> bool:
        tasks = namespace.list("scheduledtask")
        return all(
            any(
                each["type"] == "Ready" and each["status"] == "True"
                for each in item.get("status", {}).get("conditions", [])
            )
            for item in tasks
        )

    eventually(all_ready)


def test_of_two_operators_one_works_and_the_other_takes_over(
    namespace: Namespace, operator: OperatorProcess, another_operator: OperatorProcess
) -> None:
    another_operator.start()
    eventually(another_operator.metrics)
    namespace.apply(task("first"))
    namespace.wait_ready("first")
    assert another_operator.writes() == 0

    operator.kill()
    namespace.apply(task("second"))
    namespace.wait_ready("second")
    assert another_operator.leads()
