"""Every example, and every manifest in the documentation, is one that the operator accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from timewright.decisions.acceptance import Accepted, accept
from timewright.decisions.parameters import resolve_parameters
from timewright.desired.cron_job import build_cron_job
from timewright.desired.runner_image import RunnerImage
from timewright.resources.model import API_VERSION
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.task_daemon import TaskDaemonSpec
from timewright.resources.task_run import TaskRunSpec
from timewright.timetable.spread import seed_of_task

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)

Manifest = dict[str, Any]


def manifests_of(text: str) -> list[Manifest]:
    documents = [each for each in yaml.safe_load_all(text) if isinstance(each, dict)]
    return [each for each in documents if each.get("apiVersion") == API_VERSION]


def examples() -> Iterator[tuple[str, Manifest]]:
    for file in sorted(EXAMPLES.rglob("*.yaml")):
        for manifest in manifests_of(file.read_text()):
            yield f"{file.relative_to(ROOT)}:{manifest['metadata']['name']}", manifest


def documented() -> Iterator[tuple[str, Manifest]]:
    for file in (*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))):
        for block in BLOCK.findall(file.read_text()):
            for manifest in manifests_of(block):
                yield f"{file.relative_to(ROOT)}:{manifest['metadata'].get('name')}", manifest


ALL = dict([*examples(), *documented()])


@pytest.mark.parametrize("manifest", ALL.values(), ids=ALL.keys())
def test_is_accepted(manifest: Manifest) -> None:
    if manifest["kind"] == "TaskRun":
        TaskRunSpec.model_validate(manifest["spec"])
        return
    if manifest["kind"] == "TaskDaemon":
        TaskDaemonSpec.model_validate(manifest["spec"])
        return
    assert manifest["kind"] == "ScheduledTask"
    namespace, name = manifest["metadata"].get("namespace", "default"), manifest["metadata"]["name"]
    verdict = accept(manifest["spec"], seed=seed_of_task(namespace, name))
    assert isinstance(verdict, Accepted), verdict
    if verdict.native is not None:
        build_cron_job(namespace, name, "uid", verdict.spec, verdict.native, RunnerImage("runner"))


def test_runs_by_hand_name_a_task_and_parameters_that_it_declares() -> None:
    tasks = {
        manifest["metadata"]["name"]: ScheduledTaskSpec.model_validate(manifest["spec"])
        for _, manifest in examples()
        if manifest["kind"] == "ScheduledTask"
    }
    runs = [manifest for _, manifest in examples() if manifest["kind"] == "TaskRun"]
    assert runs
    for run in runs:
        task = tasks[run["spec"]["taskRef"]["name"]]
        assert isinstance(resolve_parameters(task.parameters, run["spec"].get("parameters", {})), dict)


def test_the_tour_stays_in_its_namespace_and_needs_no_image() -> None:
    files = sorted(EXAMPLES.glob("*.yaml"))
    assert [file.name[:2] for file in files] == [f"{number:02}" for number in range(len(files))]
    for file in files[1:]:
        for manifest in yaml.safe_load_all(file.read_text()):
            assert manifest["metadata"]["namespace"] == "timewright-demo"
            assert "image" not in manifest["spec"]
            assert "jobTemplate" not in manifest["spec"]


def test_the_tour_shows_every_outcome_it_promises() -> None:
    text = "\n".join(file.read_text() for file in EXAMPLES.glob("*.yaml"))
    for word in ("NonZeroExit", "Exception", "TimedOut", "Forbid", "TaskRun"):
        assert word in text
