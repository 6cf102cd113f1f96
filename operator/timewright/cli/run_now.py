"""`timewright run-now`: runs a task now, by creating a TaskRun."""

from __future__ import annotations

import asyncio
import difflib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from timewright.cli.cluster import Cluster, Target, connected, missing
from timewright.cli.exit_codes import RUN_FAILED, SUCCEEDED, TIMED_OUT, USAGE, CommandError
from timewright.cli.parameters import parse_parameters
from timewright.cli.words import outcome_line
from timewright.desired.names import labels
from timewright.resources.kinds import Parameter
from timewright.resources.model import API_VERSION
from timewright.resources.vocabulary import Outcome, Phase

Manifest = dict[str, Any]

_GENERATED_BASE_LIMIT = 58
"""The API server adds five characters to a `generateName` and cuts it to have the whole fit into 63."""

_SUFFIX = "-manual-"


@dataclass(frozen=True, slots=True)
class RunNow:
    """What to run and what to do then. `timeout` is in seconds and bounds the waiting, not the run."""

    task: str
    parameters: Sequence[str] = ()
    idempotency_key: str | None = None
    override: bool = False
    wait: bool = False
    follow: bool = False
    timeout: float | None = None
    json: bool = False


async def run_now(target: Target, request: RunNow) -> int:
    """Create the TaskRun and, if asked to, wait for its end; return the exit code."""
    async with connected(target) as cluster:
        task = await find_task(cluster, request.task)
        declared = [Parameter.model_validate(each) for each in task["spec"].get("parameters") or []]
        values = parse_parameters(declared, request.parameters)
        run = await _create(cluster, request, values)
        name = run["metadata"]["name"]
        if not request.json:
            _print(name)
        if not (request.wait or request.follow):
            if request.json:
                _print(json.dumps(run, indent=2, ensure_ascii=False))
            return SUCCEEDED
        try:
            async with asyncio.timeout(request.timeout):
                run = await _until_finished(cluster, run, request)
        except TimeoutError:
            text = f"run {name} has not finished within {request.timeout:g} s (--timeout); it goes on"
            raise CommandError(text, TIMED_OUT) from None
        _print(json.dumps(run, indent=2, ensure_ascii=False) if request.json else outcome_line(run))
        return SUCCEEDED if run["status"].get("outcome") == Outcome.SUCCEEDED else RUN_FAILED


async def find_task(cluster: Cluster, name: str) -> Manifest:
    """Read the task; raises CommandError that helps to find it, if it does not exist."""
    from timewright.cluster.api import SCHEDULED_TASKS, ApiError

    try:
        return await cluster.api.get(SCHEDULED_TASKS, cluster.namespace, name)
    except ApiError as error:
        not_installed = missing(error, SCHEDULED_TASKS)
        if not_installed is not None:
            raise not_installed from error
        if not error.not_found:
            raise
    names: list[str] = []
    try:
        async for page in cluster.api.list_all(SCHEDULED_TASKS, cluster.namespace):
            names += [each["metadata"]["name"] for each in page]
    except ApiError:
        names = []  # not allowed to list: then without a hint
    raise CommandError(_no_such_task(name, cluster.namespace, names), USAGE)


def _no_such_task(name: str, namespace: str, names: Sequence[str]) -> str:
    text = f"there is no ScheduledTask {name!r} in namespace {namespace!r}"
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return f"{text}; did you mean {' or '.join(close)}?"
    if names:
        shown = ", ".join(sorted(names)[:10]) + (", …" if len(names) > 10 else "")
        return f"{text}, which has {shown}; name another namespace with -n"
    return f"{text}, which has none; name another namespace with -n"


async def _create(cluster: Cluster, request: RunNow, parameters: Manifest) -> Manifest:
    from timewright.cluster.api import TASK_RUNS

    spec: Manifest = {"taskRef": {"name": request.task}}
    if parameters:
        spec["parameters"] = parameters
    if request.idempotency_key is not None:
        spec["idempotencyKey"] = request.idempotency_key
    if request.override:
        spec["override"] = True
    return await cluster.api.create(
        TASK_RUNS,
        {
            "apiVersion": API_VERSION,
            "kind": "TaskRun",
            "metadata": {
                "generateName": generate_name(request.task),
                "namespace": cluster.namespace,
                "labels": labels(request.task),
            },
            "spec": spec,
        },
    )


def generate_name(task: str) -> str:
    """Return the beginning of the run's name: the task's, cut so that the API server need not cut it."""
    return task[: _GENERATED_BASE_LIMIT - len(_SUFFIX)].rstrip("-.") + _SUFFIX


async def _until_finished(cluster: Cluster, run: Manifest, request: RunNow) -> Manifest:
    """Wait for the run's end and return it; with `follow` show its logs meanwhile."""
    from timewright.cli.follow import LogFollower
    from timewright.cli.watching import changes
    from timewright.cluster.api import TASK_RUNS

    follower = LogFollower(cluster.api, cluster.namespace, sys.stderr if request.json else sys.stdout)
    selector = {"fieldSelector": f"metadata.name={run['metadata']['name']}"}
    try:
        async for change in changes(cluster.api, TASK_RUNS, cluster.namespace, selector):
            if change.manifest["metadata"]["uid"] != run["metadata"]["uid"]:
                continue
            if change.deleted:
                raise CommandError(f"run {run['metadata']['name']} was deleted before it finished", RUN_FAILED)
            status = change.manifest.get("status") or {}
            if request.follow and status.get("jobName"):
                follower.start(status["jobName"])
            if status.get("phase") == Phase.FINISHED:
                await follower.finish()
                return change.manifest
    finally:
        follower.cancel()
    raise AssertionError("a watch has no end")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
