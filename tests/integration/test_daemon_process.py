"""The daemon beside a real API server, with the Role that the operator makes for it."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.integration.daemon_process import DaemonProcess, daemon_kubeconfig
from tests.integration.operator_process import OperatorProcess
from tests.objects import YEARLY, Namespace, eventually, job_template, run, task
from timewright.resources.model import parse_time

pytestmark = pytest.mark.cluster

Starting = Callable[..., DaemonProcess]


@pytest.fixture
def daemon(
    control_plane: Cluster, namespace: Namespace, operator: OperatorProcess, tmp_path: Path
) -> Iterator[Starting]:
    """Starts replicas of the namespace's daemon, which is made by the first task of mode Daemon."""
    namespace.apply(task("first", mode="Daemon"))
    kubeconfig = daemon_kubeconfig(control_plane, namespace, tmp_path)
    replicas: list[DaemonProcess] = []

    def start(**environment: str) -> DaemonProcess:
        log = tmp_path / f"daemon-{len(replicas)}.log"
        replicas.append(DaemonProcess(control_plane, namespace.name, kubeconfig, log, **environment))
        return replicas[-1].start()

    yield start
    for each in replicas:
        each.stop()
        assert "Traceback" not in each.log(), each.log()
        assert " 403 " not in each.log(), "the Role does not suffice: " + each.log()


def traced(name: str, trace: Path, schedule: str = "* * * * * *", **spec: Any) -> dict[str, Any]:
    """Return a task that writes down each of its runs."""
    command = ["sh", "-c", f"echo $TIMEWRIGHT_SCHEDULED_AT $TIMEWRIGHT_RUN_ID >> {trace}"]
    return task(name, mode="Daemon", schedule=schedule, command=command, **spec)


def ticks(trace: Path) -> list[str]:
    """Return the nominal times of the runs that were written down."""
    return [line.split()[0] for line in trace.read_text().splitlines()] if trace.exists() else []


def counters(namespace: Namespace, name: str) -> dict[str, int]:
    """Return a task's counters."""
    found: dict[str, int] = (namespace.get("scheduledtask", name).get("status") or {}).get("counters") or {}
    return found


def test_tasks_run_by_the_second_and_follow_what_is_said_of_them(
    namespace: Namespace, daemon: Starting, tmp_path: Path
) -> None:
    daemon()
    trace = tmp_path / "trace"
    namespace.apply(traced("every", trace))
    eventually(lambda: len(ticks(trace)) >= 4)
    assert max(Counter(ticks(trace)).values()) == 1
    eventually(lambda: counters(namespace, "every").get("succeeded", 0) >= 3)
    namespace.wait_ready("every")
    record = next(each for each in namespace.list("taskrun") if each["spec"]["taskRef"]["name"] == "every")
    assert record["status"]["outcome"] == "Succeeded"

    namespace.kubectl("patch", "scheduledtask", "every", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    time.sleep(1.5)
    before = len(ticks(trace))
    time.sleep(3)
    assert len(ticks(trace)) == before
    namespace.apply(run("now", "every"))
    eventually(lambda: namespace.outcome("now") == "Succeeded")
    assert len(ticks(trace)) == before + 1
    eventually(lambda: "now" in namespace.get("scheduledtask", "every")["status"]["countedRuns"])


def test_it_tells_how_it_does_beside_what_the_operator_tells(namespace: Namespace, daemon: Starting) -> None:
    leader = daemon()
    nowhere = [{"webhook": {"url": "http://127.0.0.1:9/"}, "minIntervalSeconds": 0}]
    namespace.apply(task("bad", mode="Daemon", schedule="* * * * * *", command=["false"], notify=nowhere))
    eventually(lambda: {"Ready", "Lagging"} <= {each["type"] for each in told(namespace).get("conditions", [])})
    assert told(namespace)["leader"] == leader.identity
    shown = namespace.kubectl("get", "taskdaemon", "default", "-o", "json", "--show-managed-fields").stdout
    fields = [each for each in json.loads(shown)["metadata"]["managedFields"] if each.get("subresource") == "status"]
    owners = {each["manager"]: each["operation"] for each in fields}
    assert owners == {"timewright": "Apply", "timewright-daemon": "Apply"}
    series = f'namespace="{namespace.name}",task="bad"'
    eventually(lambda: 'timewright_notices_total{channel="webhook",result="retried"}' in leader.metrics())
    text = leader.metrics()
    assert 'timewright_leader{lease="timewright-daemon-default"} 1.0' in text
    assert 'timewright_api_requests_total{method="PATCH",resource="taskdaemons"}' in text
    assert f"timewright_task_failing_streak{{{series}}}" in text
    assert f"timewright_task_next_success_deadline_timestamp_seconds{{{series}}}" in text
    assert "timewright_lagging 0.0" in text


def told(namespace: Namespace) -> dict[str, Any]:
    """Return the status of the namespace's daemon."""
    found: dict[str, Any] = namespace.get("taskdaemon", "default").get("status") or {}
    return found


def test_a_job_template_becomes_a_job_at_its_tick(namespace: Namespace, daemon: Starting) -> None:
    daemon()
    namespace.apply(
        task("job", mode="Daemon", schedule="* * * * * *", concurrencyPolicy="Forbid", jobTemplate=job_template())
    )
    eventually(lambda: namespace.list("job"))
    job = namespace.list("job")[0]
    assert job["metadata"]["ownerReferences"][0]["name"] == "job"
    eventually(lambda: counters(namespace, "job").get("skipped", 0) >= 1)
    namespace.kubectl("delete", "job", job["metadata"]["name"])
    eventually(lambda: counters(namespace, "job").get("cancelled", 0) == 1)


def test_jobs_that_share_a_lock_take_turns_across_a_change_of_leader(namespace: Namespace, daemon: Starting) -> None:
    first = daemon()
    for name in ("one", "two"):
        spec = {"schedule": "* * * * * *", "locks": ["warehouse"], "maxQueued": 2, "jobTemplate": job_template()}
        namespace.apply(task(name, mode="Daemon", **spec))
    eventually(lambda: namespace.list("job"))
    eventually(lambda: counters(namespace, "one").get("skipped", 0) and counters(namespace, "two").get("skipped", 0))
    (job,) = namespace.list("job")
    eventually(lambda: 'timewright_runs_waiting_for_lock{lock="warehouse"}' in first.metrics())
    second = daemon()
    first.kill()
    eventually(lambda: told(namespace).get("leader") == second.identity)
    time.sleep(3)
    assert [each["metadata"]["name"] for each in namespace.list("job")] == [job["metadata"]["name"]]
    waiting = {
        (name, tick)
        for name in ("one", "two")
        for tick in namespace.get("scheduledtask", name)["status"]["decided"]["queued"]
    }
    namespace.kubectl("delete", "job", job["metadata"]["name"])
    (following,) = eventually(lambda: namespace.list("job"))
    name, _, number = following["metadata"]["name"].rpartition("-")
    started = int(number) if int(number) > 10**9 else int(number) * 60
    assert started == min(tick for _, tick in waiting), "the one that has waited longest"
    assert (name, started) in waiting
    assert counters(namespace, "one").get("lost", 0) == counters(namespace, "two").get("lost", 0) == 0


def test_a_standby_takes_over_from_one_that_is_killed_and_from_one_that_hangs(
    namespace: Namespace, daemon: Starting, tmp_path: Path
) -> None:
    first = daemon()
    trace = tmp_path / "trace"
    namespace.apply(traced("every", trace))
    eventually(lambda: len(ticks(trace)) >= 3)
    second = daemon()
    first.kill()
    before = len(ticks(trace))
    eventually(lambda: len(ticks(trace)) >= before + 3)
    third = daemon()
    second.send(signal.SIGSTOP)
    before = len(ticks(trace))
    eventually(lambda: len(ticks(trace)) >= before + 3)
    second.send(signal.SIGCONT)
    eventually(lambda: not second.running)
    before = len(ticks(trace))
    third.stop()
    fourth = daemon()
    eventually(lambda: len(ticks(trace)) >= before + 3)
    assert max(Counter(ticks(trace)).values()) == 1, "no tick starts twice"
    namespace.kubectl("patch", "scheduledtask", "every", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    time.sleep(2)
    fourth.stop()
    daemon()
    time.sleep(3)
    counted = counters(namespace, "every")
    assert counted["succeeded"] + counted["lost"] >= len(ticks(trace))


def test_ticks_change_hands_both_ways(namespace: Namespace, daemon: Starting) -> None:
    daemon()
    template = job_template()
    namespace.apply(task("both", schedule="* * * * *", jobTemplate=template))
    namespace.wait_ready("both")
    eventually(lambda: namespace.list("job"))
    namespace.apply(task("both", schedule="* * * * *", mode="Daemon", jobTemplate=template))
    eventually(lambda: namespace.get("scheduledtask", "both")["status"].get("decided"))
    before = len(namespace.list("job"))
    eventually(lambda: len(namespace.list("job")) > before)
    namespace.apply(task("both", schedule="* * * * *", mode="CronJob", jobTemplate=template))
    eventually(lambda: not namespace.get("cronjob", "both")["spec"].get("suspend"))
    before = len(namespace.list("job"))
    eventually(lambda: len(namespace.list("job")) > before)
    minutes = sorted(int(each["metadata"]["name"].rpartition("-")[2]) for each in namespace.list("job"))
    assert minutes == list(range(minutes[0], minutes[0] + len(minutes))), "no tick is lost, and none runs twice"


def test_what_a_daemon_leaves_that_is_gone_for_good_is_recorded(
    namespace: Namespace, daemon: Starting, tmp_path: Path
) -> None:
    gone = daemon()
    trace = tmp_path / "trace"
    namespace.apply(traced("own", trace))
    jobs = {"schedule": "*/2 * * * * *", "concurrencyPolicy": "Allow", "jobTemplate": job_template()}
    namespace.apply(task("jobs", mode="Daemon", **jobs))
    eventually(lambda: len(ticks(trace)) >= 5 and len(namespace.list("job")) >= 3)
    gone.kill()
    namespace.apply(task("own", schedule=YEARLY, command=["true"]))
    namespace.apply(task("jobs", schedule=YEARLY, jobTemplate=job_template()))
    names = ("own", "jobs")
    eventually(lambda: all(status_of(namespace, name)["scheduledBy"] == "CronJob" for name in names))

    # Every second from the first tick to the last one that was claimed has one outcome.
    lease = namespace.get("lease", "timewright-daemon-default")
    claimed = int(lease["metadata"]["annotations"]["timewright.dev/watermark"])
    first = int(parse_time(ticks(trace)[0]).timestamp())
    told = counters(namespace, "own")
    assert sum(told.values()) == claimed - first + 1
    assert {outcome for outcome, count in told.items() if count} <= {"succeeded", "lost"}
    assert told["succeeded"] <= len(ticks(trace)) <= sum(told.values())

    made = {job["metadata"]["name"] for job in namespace.list("job")}
    runs = {
        run["metadata"]["name"]: run["status"] for run in namespace.list("taskrun") if run["metadata"]["name"] in made
    }
    assert runs.keys() == made
    assert {run["phase"] for run in runs.values()} == {"Running"}
    for name in made:
        namespace.kubectl("delete", "job", name)
    eventually(lambda: counters(namespace, "jobs").get("cancelled") == len(made))


def status_of(namespace: Namespace, name: str) -> dict[str, Any]:
    """Return a task's status."""
    status: dict[str, Any] = namespace.get("scheduledtask", name)["status"]
    return status


def test_yearly_tasks_are_left_alone(namespace: Namespace, daemon: Starting) -> None:
    daemon()
    namespace.apply(task("yearly", mode="Daemon", schedule=YEARLY))
    namespace.wait_ready("yearly")
    status = namespace.get("scheduledtask", "yearly")["status"]
    assert (status["scheduledBy"], len(status["nextTicks"])) == ("Daemon", 5)


def test_a_refused_edit_leaves_the_accepted_one_running_whoever_leads(
    namespace: Namespace, daemon: Starting, tmp_path: Path
) -> None:
    first = daemon()
    trace = tmp_path / "trace"
    namespace.apply(traced("every", trace))
    eventually(lambda: namespace.get("scheduledtask", "every").get("status", {}).get("decided", {}).get("spec"))
    first.kill()
    namespace.apply(traced("every", trace, timeZone="Europe/Atlantis"))
    before = len(ticks(trace))
    daemon()
    eventually(lambda: len(ticks(trace)) >= before + 3)
    eventually(lambda: "generation 1 keeps running" in str(namespace.get("scheduledtask", "every")["status"]))
    assert max(Counter(ticks(trace)).values()) == 1, "no tick starts twice"
