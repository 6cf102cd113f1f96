"""Every kind of task in real Pods: what ends how, and what its record says."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.objects import Namespace, eventually, job_template, run, task

pytestmark = pytest.mark.kubelet


def run_now(namespace: Namespace, manifest: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Apply a task, run it by hand, and return the finished TaskRun's status."""
    name = manifest["metadata"]["name"]
    namespace.apply(manifest, run(f"{name}-now", name, **spec))
    eventually(lambda: namespace.outcome(f"{name}-now"), seconds=180)
    status: dict[str, Any] = namespace.get("taskrun", f"{name}-now")["status"]
    return status


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers /status/<code>, and remembers what it was asked."""

    asked: list[tuple[str, str, dict[str, str], str]] = []  # noqa: RUF012 - shared on purpose

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        Answering.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length).decode()))
        self.send_response(int(self.path.rpartition("/")[2]))
        self.end_headers()
        self.wfile.write(b"the answer")

    do_GET = do_POST  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(namespace: Namespace) -> Iterator[str]:
    """An HTTP server on the node; its URL."""
    Answering.asked.clear()
    with namespace.cluster.entered():
        listening = http.server.ThreadingHTTPServer((namespace.cluster.node_address, 0), Answering)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://{namespace.cluster.node_address}:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_command_in_the_runners_image(restricted: Namespace) -> None:
    script = "echo to the log; echo nominal $TIMEWRIGHT_SCHEDULED_AT id $TIMEWRIGHT_RUN_ID; ls /var/run/secrets || true"
    status = run_now(restricted, task("hello", command=["sh", "-c", script]))
    assert (status["outcome"], status["reason"], status["exitCode"]) == ("Succeeded", "Completed", 0)
    record = restricted.get("taskrun", "hello-now")
    created = record["metadata"]["creationTimestamp"]
    assert f"nominal {created} id {status['jobName']}" in status["output"]
    (pod,) = restricted.list("pod")
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not any("kube-api-access" in volume["name"] for volume in pod["spec"]["volumes"])
    restricted.kubectl("wait", "--for=condition=Complete", "taskrun/hello-now", "--timeout=10s")


def test_a_failing_command_tells_its_exit_code_and_the_tail_of_its_output(restricted: Namespace) -> None:
    command = ["sh", "-c", "seq 1000; echo 'disk is full' >&2; exit 3"]
    status = run_now(restricted, task("failing", command=command))
    assert (status["outcome"], status["reason"], status["exitCode"]) == ("Failed", "NonZeroExit", 3)
    assert "disk is full" in status["output"]
    assert "1000" in status["output"]
    restricted.kubectl("wait", "--for=condition=Failed", "taskrun/failing-now", "--timeout=10s")
    eventually(lambda: "RunFailed" in restricted.kubectl("get", "events").stdout)
    assert restricted.condition("failing", "Ready")["status"] == "True", "a failed run blocks no GitOps tool"
    eventually(lambda: restricted.condition("failing", "Healthy").get("status") == "False")


def test_dollar_signs_reach_the_command_as_they_were_written(restricted: Namespace) -> None:
    manifest = task("dollars", command=["echo", "$$(HOME)", "$HOME", "$$", "$(NOWHERE)", "$(WHO)", "é€"])
    manifest["spec"]["env"] = [{"name": "WHO", "value": "me"}]
    status = run_now(restricted, manifest)
    assert "$(HOME) $HOME $ $(NOWHERE) me é€" in status["output"]


def test_a_command_that_takes_too_long_is_ended(restricted: Namespace) -> None:
    status = run_now(restricted, task("slow", command=["sh", "-c", "echo begun; sleep 600"], timeoutSeconds=2))
    assert (status["outcome"], status["reason"]) == ("Failed", "TimedOut")
    assert "begun" in status["output"]


def test_a_python_call(restricted: Namespace) -> None:
    call = {"call": "operator:add", "args": [40, 2]}
    status = run_now(restricted, task("adding", python=call))
    assert status["outcome"] == "Succeeded"


def test_an_exception_leaves_its_traceback(restricted: Namespace) -> None:
    call = {"call": "json:loads", "args": ["{broken"]}
    status = run_now(restricted, task("raising", python=call))
    assert (status["outcome"], status["reason"]) == ("Failed", "Exception")
    assert "JSONDecodeError" in status["message"]
    assert "Traceback" in status["output"]


def test_an_http_request_with_a_secret(restricted: Namespace, server: str) -> None:
    restricted.kubectl("create", "secret", "generic", "hook", "--from-literal=token=s3cr3t-value")
    request = {
        "method": "POST",
        "url": f"{server}/status/201",
        "headers": [{"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "hook", "key": "token"}}}],
        "body": "at $(TIMEWRIGHT_SCHEDULED_AT)",
        "expectedStatus": ["201"],
    }
    status = run_now(restricted, task("hook", http=request))
    assert status["outcome"] == "Succeeded"
    ((method, _, headers, body),) = Answering.asked
    assert (method, headers["Authorization"]) == ("POST", "s3cr3t-value")
    assert body == f"at {restricted.get('taskrun', 'hook-now')['metadata']['creationTimestamp']}"
    everything = "".join(
        restricted.kubectl("get", kind, "-o", "yaml").stdout for kind in ("taskruns", "pods", "events")
    )
    assert "s3cr3t-value" not in everything


def test_an_unexpected_status_fails(restricted: Namespace, server: str) -> None:
    status = run_now(restricted, task("refused", http={"url": f"{server}/status/503"}))
    assert (status["outcome"], status["reason"]) == ("Failed", "UnexpectedStatus")
    assert "503" in status["message"]
    assert "the answer" in status["output"]


def test_an_unreachable_server_fails(restricted: Namespace) -> None:
    status = run_now(restricted, task("nowhere", http={"url": f"http://{restricted.cluster.node_address}:9"}))
    assert (status["outcome"], status["reason"]) == ("Failed", "RequestFailed")


def test_any_image_runs_a_command_directly(namespace: Namespace, tiny_image: str) -> None:
    script = "echo id $TIMEWRIGHT_RUN_ID at $TIMEWRIGHT_SCHEDULED_AT >&2; exit 5"
    status = run_now(namespace, task("tiny", image=tiny_image, command=["/bin/sh", "-c", script]))
    assert (status["outcome"], status["reason"], status["exitCode"]) == ("Failed", "NonZeroExit", 5)
    assert f"id {status['jobName']} at 20" in status["output"]


def test_an_application_runs_its_own_schedule_runner(namespace: Namespace, tiny_image: str) -> None:
    manifest = task("shop", image=tiny_image, app={"run": ["/bin/sh", "-c", "exit 0"]})
    del manifest["spec"]["schedule"]
    status = run_now(namespace, manifest)
    assert status["outcome"] == "Succeeded"
    assert namespace.get("cronjob", "shop")["spec"]["schedule"] == "* * * * *"


def test_a_command_that_the_image_lacks(namespace: Namespace, tiny_image: str) -> None:
    status = run_now(namespace, task("lacking", image=tiny_image, command=["/bin/nothing"]))
    assert (status["outcome"], status["reason"]) == ("Failed", "StartError")
    assert "/bin/nothing" in status["message"]


def test_out_of_memory(restricted: Namespace) -> None:
    call = {"call": "builtins:bytearray", "args": [1_000_000_000]}
    manifest = task("greedy", python=call, resources={"limits": {"memory": "96Mi"}})
    status = run_now(restricted, manifest)
    assert (status["outcome"], status["reason"]) == ("Failed", "OutOfMemory")


def test_an_image_that_cannot_be_pulled(namespace: Namespace) -> None:
    template = job_template()
    template["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Never"
    status = run_now(namespace, task("absent", jobTemplate=template))
    assert (status["outcome"], status["reason"]) == ("Failed", "ImagePullFailed")
    assert "registry.invalid/none:1" in status["message"]


def test_an_image_pull_is_given_up_after_its_deadline(namespace: Namespace) -> None:
    status = run_now(namespace, task("pulling", jobTemplate=job_template(), imagePullDeadlineSeconds=15))
    assert (status["outcome"], status["reason"]) == ("Failed", "ImagePullFailed")


def test_a_job_with_retries_lists_every_attempt(namespace: Namespace, tiny_image: str) -> None:
    template = job_template(image=tiny_image, command=["/bin/sh", "-c", "echo attempt; exit 9"])
    template["spec"]["backoffLimit"] = 1
    status = run_now(namespace, task("retrying", jobTemplate=template))
    assert [each["exitCode"] for each in status["attempts"]] == [9, 9]
    assert (status["outcome"], status["exitCode"]) == ("Failed", 9)


def test_parameters_reach_the_run(restricted: Namespace) -> None:
    declared = [{"name": "region", "default": "eu"}, {"name": "limit", "type": "integer", "default": 5}]
    command = ["sh", "-c", "echo $TIMEWRIGHT_PARAMETER_REGION $TIMEWRIGHT_PARAMETER_LIMIT $(TIMEWRIGHT_PARAMETERS)"]
    manifest = task("report", command=command, parameters=declared)
    status = run_now(restricted, manifest, parameters={"region": "a$$b"})
    assert "a$$b 5" in status["output"].replace("'", "")
    python = task(
        "call", python={"call": "json:dumps", "args": [{}]}, parameters=[{"name": "indent", "type": "integer"}]
    )
    assert run_now(restricted, python, parameters={"indent": 2})["outcome"] == "Succeeded"


def test_a_pod_template_tightens_or_widens_what_is_generated(namespace: Namespace, image: str) -> None:
    namespace.kubectl("create", "configmap", "settings", "--from-literal=greeting=hello from a file")
    pod_template = {
        "metadata": {"labels": {"team": "a"}},
        "spec": {
            "automountServiceAccountToken": True,
            "containers": [{"name": "task", "volumeMounts": [{"name": "settings", "mountPath": "/settings"}]}],
            "volumes": [{"name": "settings", "configMap": {"name": "settings"}}],
        },
    }
    command = ["sh", "-c", "cat /settings/greeting; touch /tmp/x; ls /var/run/secrets/kubernetes.io/serviceaccount"]
    status = run_now(namespace, task("custom", command=command, podTemplate=pod_template))
    assert status["outcome"] == "Succeeded"
    assert "hello from a file" in status["output"]
    assert "token" in status["output"]


def test_the_shell_runs_waits_and_follows(restricted: Namespace, tmp_path: object) -> None:
    import sys

    restricted.apply(task("hello", command=["echo", "heard"]))
    restricted.wait_ready("hello")
    code = "from timewright.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, "run-now", "hello", "-n", restricted.name, "--follow", "--wait"]
    result = restricted.cluster.run(arguments)
    assert "heard" in result.stdout
    assert "Succeeded" in result.stdout + result.stderr
    arguments = [sys.executable, "-c", code, "history", "hello", "-n", restricted.name, "-o", "json"]
    assert "Succeeded" in json.dumps(json.loads(restricted.cluster.run(arguments).stdout))
