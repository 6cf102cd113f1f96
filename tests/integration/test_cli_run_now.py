"""The commands `run-now` and `history` against a real API server, with a user's own rights."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, eventually, run, task

pytestmark = pytest.mark.cluster

DONE = {
    "phase": "Finished",
    "outcome": "Failed",
    "reason": "NonZeroExit",
    "message": "exit code 3: disk full",
    "startTime": "2026-03-01T04:00:08Z",
    "completionTime": "2026-03-01T04:03:28Z",
}


def start(namespace: Namespace, *arguments: str) -> subprocess.Popen[str]:
    code = "from timewright.cli.main import main; main()"
    return subprocess.Popen(
        namespace.cluster.command([sys.executable, "-c", code, *arguments, "-n", namespace.name]),
        env=namespace.cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def timewright(namespace: Namespace, *arguments: str) -> tuple[int, str, str]:
    process = start(namespace, *arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def finish(namespace: Namespace, name: str, status: dict[str, Any]) -> None:
    """Say how a run went, in the operator's place."""
    patch = json.dumps({"status": status})
    namespace.kubectl("patch", "taskrun", name, "--subresource=status", "--type=merge", "-p", patch)


def test_a_run_is_created_as_asked(namespace: Namespace) -> None:
    parameters = [{"name": "count", "type": "integer", "default": 1}, {"name": "region", "allowedValues": ["eu"]}]
    namespace.apply(task("report", parameters=parameters))
    code, out, err = timewright(
        namespace,
        *("run-now", "report", "-p", "count=3", "-p", "region=eu", "--idempotency-key", "k", "--override"),
    )
    assert (code, err) == (0, "")
    created = namespace.get("taskrun", out.strip())
    assert created["metadata"]["name"].startswith("report-manual-")
    assert created["metadata"]["labels"]["timewright.dev/task"] == "report"
    assert created["spec"] == {
        "taskRef": {"name": "report"},
        "trigger": "Manual",
        "parameters": {"count": 3, "region": "eu"},
        "idempotencyKey": "k",
        "override": True,
    }


def test_wrong_arguments_create_nothing(namespace: Namespace) -> None:
    namespace.apply(task("report"))
    code, _, err = timewright(namespace, "run-now", "reprot")
    assert (code, "did you mean report?" in err) == (2, True)
    code, _, err = timewright(namespace, "run-now", "report", "-p", "x=1")
    assert (code, "it declares none" in err) == (2, True)
    assert namespace.list("taskrun") == []


def test_a_long_name_keeps_its_suffix(namespace: Namespace) -> None:
    name = "a-task-whose-name-is-longer-than-a-cron-job-may-have." + "x" * 60
    namespace.apply(task(name))
    code, out, err = timewright(namespace, "run-now", name)
    assert (code, err) == (0, "")
    assert "-manual-" in out
    assert len(out.strip()) <= 63


def test_waiting_survives_a_restart_of_the_api_server(namespace: Namespace) -> None:
    namespace.apply(task("report"))
    process = start(namespace, "run-now", "report", "--wait")
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    with namespace.cluster.without("apiserver"):
        assert process.poll() is None
    eventually(lambda: namespace.get("taskrun", name))
    finish(namespace, name, DONE)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (1, "")
    assert out == f"{name} Failed (NonZeroExit) after 3m20s: exit code 3: disk full\n"


def test_waiting_ends_with_the_time_that_was_given(namespace: Namespace) -> None:
    namespace.apply(task("report"))
    code, out, err = timewright(namespace, "run-now", "report", "--wait", "--timeout", "1")
    assert code == 124
    assert f"run {out.strip()} has not finished within 1 s" in err


def test_history(namespace: Namespace) -> None:
    namespace.apply(task("report"), task("other"))
    names = [timewright(namespace, "run-now", "report")[1].strip() for _ in range(2)]
    namespace.apply(run("foreign", "other"))
    finish(namespace, names[0], DONE)
    code, out, err = timewright(namespace, "history", "report", "-o", "json")
    assert (code, err) == (0, "")
    assert {each["metadata"]["name"] for each in json.loads(out)["items"]} == set(names)
    code, out, _ = timewright(namespace, "history", "report", "--outcome", "Failed")
    assert code == 0
    assert names[0] in out
    assert "disk full" in out
    assert names[1] not in out


def test_with_the_operator(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report", concurrencyPolicy="Forbid", suspend=True))
    namespace.wait_ready("report")
    first = timewright(namespace, "run-now", "report")[1].strip()
    eventually(lambda: (namespace.get("taskrun", first).get("status") or {}).get("phase") == "Running")
    code, out, _ = timewright(namespace, "run-now", "report", "--wait")
    assert code == 1
    assert " Skipped (Overlap): " in out.splitlines()[-1]
    eventually(lambda: "1 skipped" in timewright(namespace, "history", "report")[1])


def test_a_user_with_the_rights_of_the_documentation(namespace: Namespace) -> None:
    namespace.apply(task("report"))
    namespace.kubectl("create", "serviceaccount", "caller")
    namespace.kubectl("create", "role", "caller", "--verb=get", "--resource=scheduledtasks.timewright.dev")
    namespace.kubectl("create", "rolebinding", "caller", "--role=caller", f"--serviceaccount={namespace.name}:caller")
    token = namespace.kubectl("create", "token", "caller").stdout.strip()
    view = json.loads(namespace.kubectl("config", "view", "--raw", "-o", "json").stdout)
    view["users"] = [{"name": each["name"], "user": {"token": token}} for each in view["users"]]
    kubeconfig = namespace.cluster.home / f"{namespace.name}.kubeconfig"
    kubeconfig.write_text(json.dumps(view))
    code, _, err = timewright(namespace, "run-now", "report", "--kubeconfig", str(kubeconfig))
    assert code == 3
    assert "cannot create resource" in err
    grant = [{"apiGroups": ["timewright.dev"], "resources": ["taskruns"], "verbs": ["create", "list", "watch"]}]
    rules = json.dumps([{"op": "add", "path": "/rules/-", "value": grant[0]}])
    namespace.kubectl("patch", "role", "caller", "--type=json", "-p", rules)
    code, out, err = timewright(
        namespace, "run-now", "report", "--wait", "--timeout", "1", "--kubeconfig", str(kubeconfig)
    )
    assert (code, out.startswith("report-manual-")) == (124, True), err
