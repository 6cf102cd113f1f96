"""`run-now` against a fake API server whose connections break."""

import asyncio
import json
from typing import Any

import pytest

from tests.unit.cli.fake_api import FakeApi, Manifest
from timewright.cli import watching
from timewright.cli.cluster import Target
from timewright.cli.exit_codes import CLUSTER_FAILED, RUN_FAILED, SUCCEEDED, TIMED_OUT, USAGE, CommandError
from timewright.cli.run_now import RunNow, generate_name, run_now

DONE: Manifest = {
    "phase": "Finished",
    "outcome": "Succeeded",
    "reason": "Completed",
    "startTime": "2026-03-01T04:00:08Z",
    "completionTime": "2026-03-01T04:03:28Z",
}
FAILED: Manifest = {**DONE, "outcome": "Failed", "reason": "NonZeroExit", "message": "exit code 3: disk full\nmore"}
NAME = "nightly-manual-x7k2p"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_SHORTEST_PAUSE_SECONDS", 0.01)


async def created(api: FakeApi) -> Manifest:
    await asyncio.to_thread(api.wait_until, lambda: bool(api.objects["taskruns"]))
    return api.only_run


async def status(api: FakeApi, value: Manifest) -> None:
    api.put("taskruns", {**api.only_run, "status": value})


async def test_creates_a_run_and_prints_its_name(
    api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    api.task()
    assert await run_now(target, RunNow("nightly")) == SUCCEEDED
    assert capsys.readouterr().out == f"{NAME}\n"
    assert api.only_run["spec"] == {"taskRef": {"name": "nightly"}}
    assert api.only_run["metadata"]["generateName"] == "nightly-manual-"
    assert api.only_run["metadata"]["namespace"] == "shop"
    assert api.only_run["metadata"]["labels"]["timewright.dev/task"] == "nightly"


async def test_everything_that_can_be_said(api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    api.task(parameters=[{"name": "month", "default": "now"}, {"name": "count", "type": "integer", "default": 1}])
    request = RunNow("nightly", ["month=2026-02", "count=3"], idempotency_key="k1", override=True, json=True)
    assert await run_now(target, request) == SUCCEEDED
    assert json.loads(capsys.readouterr().out)["spec"] == {
        "taskRef": {"name": "nightly"},
        "parameters": {"month": "2026-02", "count": 3},
        "idempotencyKey": "k1",
        "override": True,
    }


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([], "no ScheduledTask 'nigthly' in namespace 'shop', which has none; name another namespace with -n"),
        (["nightly", "other"], "did you mean nightly?"),
        (["a", "b"], "which has a, b; name another namespace with -n"),
    ],
)
async def test_no_such_task(api: FakeApi, target: Target, tasks: list[str], words: str) -> None:
    for task in tasks:
        api.task(task)
    with pytest.raises(CommandError) as caught:
        await run_now(target, RunNow("nigthly"))
    assert caught.value.code == USAGE
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("key", "answer", "words"),
    [
        ("GET scheduledtasks", (401, {"message": "Unauthorized"}), "does not accept the credentials"),
        ("GET scheduledtasks", (403, {"message": "scheduledtasks is forbidden"}), "scheduledtasks is forbidden"),
        (
            "GET scheduledtasks",
            (404, {"message": "the server could not find the requested resource"}),
            "this cluster has no scheduledtasks.timewright.dev: install timewright in it first",
        ),
        ("POST taskruns", (422, {"message": "spec.override: Invalid value"}), "spec.override: Invalid value"),
    ],
)
async def test_refusals(api: FakeApi, target: Target, key: str, answer: Any, words: str) -> None:
    api.task()
    api.errors[key] = answer
    with pytest.raises(CommandError, match=words) as caught:
        await run_now(target, RunNow("nightly"))
    assert caught.value.code == CLUSTER_FAILED


async def test_no_cluster(api: FakeApi, target: Target) -> None:
    configuration = json.loads(api.kubeconfig.read_text())
    configuration["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    api.kubeconfig.write_text(json.dumps(configuration))
    with pytest.raises(CommandError, match=r"the cluster at http://127.0.0.1:1 cannot be reached") as caught:
        await run_now(target, RunNow("nightly"))
    assert caught.value.code == CLUSTER_FAILED


async def test_wait_for_success_through_broken_connections(
    api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    api.task()
    api.break_watches = 3
    waiting = asyncio.ensure_future(run_now(target, RunNow("nightly", wait=True)))
    await created(api)
    for phase in ("Pending", "Running", "Running", "Running"):
        await status(api, {"phase": phase})
        await asyncio.sleep(0.1)
    api.errors["GET taskruns"] = (503, {"message": "the API server restarts"})
    await asyncio.sleep(0.2)
    del api.errors["GET taskruns"]
    await status(api, DONE)
    assert await asyncio.wait_for(waiting, 20) == SUCCEEDED
    assert capsys.readouterr().out.splitlines() == [NAME, f"{NAME} Succeeded after 3m20s"]


async def test_wait_for_failure(api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    api.task()
    waiting = asyncio.ensure_future(run_now(target, RunNow("nightly", wait=True)))
    await created(api)
    await status(api, FAILED)
    assert await asyncio.wait_for(waiting, 20) == RUN_FAILED
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"{NAME} Failed (NonZeroExit) after 3m20s: exit code 3: disk full"
    )


async def test_wait_prints_one_document_as_json(
    api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    api.task()
    waiting = asyncio.ensure_future(run_now(target, RunNow("nightly", wait=True, json=True)))
    await created(api)
    await status(api, DONE)
    assert await asyncio.wait_for(waiting, 20) == SUCCEEDED
    assert json.loads(capsys.readouterr().out)["status"] == DONE


async def test_wait_times_out(api: FakeApi, target: Target) -> None:
    api.task()
    with pytest.raises(
        CommandError, match=rf"run {NAME} has not finished within 0.3 s \(--timeout\); it goes on"
    ) as caught:
        await run_now(target, RunNow("nightly", wait=True, timeout=0.3))
    assert caught.value.code == TIMED_OUT


async def test_the_run_is_deleted(api: FakeApi, target: Target) -> None:
    api.task()
    waiting = asyncio.ensure_future(run_now(target, RunNow("nightly", wait=True)))
    await created(api)
    await asyncio.sleep(0.1)
    api.delete("taskruns", NAME)
    with pytest.raises(CommandError, match="was deleted before it finished") as caught:
        await asyncio.wait_for(waiting, 20)
    assert caught.value.code == RUN_FAILED


async def test_the_right_to_watch_is_missing(api: FakeApi, target: Target) -> None:
    api.task()
    api.errors["GET taskruns"] = (403, {"message": "taskruns is forbidden"})
    with pytest.raises(CommandError, match="taskruns is forbidden") as caught:
        await asyncio.wait_for(run_now(target, RunNow("nightly", wait=True)), 20)
    assert caught.value.code == CLUSTER_FAILED


def pod(name: str, state: Manifest, job: str = "job-1") -> Manifest:
    return {
        "metadata": {"name": name, "labels": {"batch.kubernetes.io/job-name": job}},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "task"}]},
        "status": {"containerStatuses": [{"name": "sidecar", "state": {}}, {"name": "task", "state": state}]},
    }


async def test_follow_shows_the_logs_of_each_pod(
    api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    api.task()
    waiting = asyncio.ensure_future(run_now(target, RunNow("nightly", follow=True)))
    await created(api)
    api.put("pods", pod("alien", {"running": {}}, job="job-2"))
    await status(api, {"phase": "Running", "jobName": "job-1"})
    api.put("pods", pod("pod-a", {"waiting": {"reason": "ContainerCreating"}}))
    api.put("pods", pod("pod-a", {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}))
    await asyncio.sleep(0.1)
    api.log("pod-a", "first", "second é")
    api.put("pods", pod("pod-a", {"running": {}}))
    await asyncio.sleep(0.3)
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [NAME, "first", "second é"]
    assert captured.err == "Pod pod-a waits: ErrImagePull: no such image\n"
    api.log("pod-a", "third", "END")
    api.log("pod-b", "again", "END")
    api.put("pods", pod("pod-b", {"terminated": {}}))
    await status(api, {**FAILED, "jobName": "job-1"})
    assert await asyncio.wait_for(waiting, 20) == RUN_FAILED
    out = capsys.readouterr().out.splitlines()
    assert out[-1].startswith(f"{NAME} Failed (NonZeroExit)")
    assert set(out[:-1]) == {"third", "[pod-b] again"}


async def test_follow_a_run_that_is_over_at_once(
    api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    api.task()
    api.log("pod-a", "quick", "END")
    waiting = asyncio.ensure_future(run_now(target, RunNow("nightly", follow=True)))
    await created(api)
    api.put("pods", pod("pod-a", {"terminated": {}}))
    await status(api, {**DONE, "jobName": "job-1"})
    assert await asyncio.wait_for(waiting, 20) == SUCCEEDED
    assert "quick" in capsys.readouterr().out.splitlines()


async def test_follow_without_the_right_to_see_pods(
    api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    api.task()
    api.errors["GET pods"] = (403, {"message": "pods is forbidden"})
    waiting = asyncio.ensure_future(run_now(target, RunNow("nightly", follow=True)))
    await created(api)
    await status(api, {**DONE, "jobName": "job-1"})
    assert await asyncio.wait_for(waiting, 20) == SUCCEEDED
    assert capsys.readouterr().err == "no logs: the Pods of Job job-1 cannot be watched: pods is forbidden\n"


@pytest.mark.parametrize(
    ("task", "expected"),
    [("nightly", "nightly-manual-"), ("x" * 253, "x" * 50 + "-manual-"), ("a" * 49 + ".b", "a" * 49 + "-manual-")],
)
def test_generated_names_fit(task: str, expected: str) -> None:
    assert generate_name(task) == expected
    assert len(generate_name(task)) <= 58
