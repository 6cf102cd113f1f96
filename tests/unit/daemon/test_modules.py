"""Modules of functions that tasks call, which may do anything while they are imported."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveCluster, Replica, until
from timewright.daemon.modules import import_all, imported, module_of

FUNCTION = """
import os

async def function(path):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\\n")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return tmp_path


def calling(cluster: LiveCluster, folder: Path, module: str) -> Path:
    path = folder / "processes"
    cluster.daemon_task(command=None, python={"call": f"{module}:function", "args": [str(path)]})
    return path


@pytest.mark.parametrize(
    ("spec", "module"),
    [
        ({"mode": "Daemon", "python": {"call": "shop.baskets:expire"}}, "shop.baskets"),
        ({"mode": "Daemon", "daemon": "default", "python": {"call": "shop.baskets:expire"}}, "shop.baskets"),
        ({"mode": "Daemon", "daemon": "other", "python": {"call": "shop.baskets:expire"}}, None),
        ({"mode": "CronJob", "python": {"call": "shop.baskets:expire"}}, None),
        ({"mode": "Daemon", "python": {"call": "shop.baskets:expire", "setup": "django"}}, None),
        ({"mode": "Daemon", "python": {"call": 3}}, None),
        ({"mode": "Daemon", "python": "shop"}, None),
        ({"mode": "Daemon", "command": ["true"]}, None),
    ],
)
def test_only_what_the_daemon_may_call_is_imported(spec: dict[str, Any], module: str | None) -> None:
    assert module_of(spec, "default") == module


async def test_one_that_never_ends_keeps_no_other_task_from_running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("timewright.daemon.process.import_all", functools.partial(import_all, patience=0.5))
    (folder / "endless_module.py").write_text(f"{FUNCTION}\nimport time\n\ntime.sleep(3600)\n")
    cluster = LiveCluster()
    cluster.daemon_task("other", command=None, python={"call": "tests.unit.daemon.tasks:note"})
    async with Replica(cluster, drain_seconds=0.2) as replica:
        await until(lambda: tasks.started)
        calling(cluster, folder, "endless_module")
        known = replica.process.known
        await until(lambda: len(known.tasks) == 2)
        count = len(tasks.started)
        await until(lambda: len(tasks.started) > count + 2)
    (task,) = (each.task for each in known.tasks.values() if each.name == "task")
    assert task is not None
    assert not task.is_light
    ticks = [tick for _, tick in tasks.started]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    assert imported("endless_module") is None
    assert "module endless_module takes more than 0.5 s to import" in caplog.text


async def test_one_that_asks_for_the_event_loop_is_imported_as_ever(folder: Path) -> None:
    (folder / "asking_module.py").write_text(f"{FUNCTION}\nimport asyncio\n\nLOOP = asyncio.get_event_loop()\n")
    cluster = LiveCluster()
    path = calling(cluster, folder, "asking_module")
    async with Replica(cluster):
        await until(path.exists)
    assert int(path.read_text().split()[0]) == os.getpid()
    assert getattr(imported("asking_module"), "LOOP", None) is asyncio.get_running_loop()


@pytest.mark.parametrize("text", ["raise SystemExit(3)", "import nothing_of_that_name", "{"])
async def test_of_one_that_cannot_be_imported_the_run_tells(folder: Path, text: str) -> None:
    name = f"broken_module_{abs(hash(text))}"
    (folder / f"{name}.py").write_text(text)
    cluster = LiveCluster()
    calling(cluster, folder, name)
    async with Replica(cluster, drain_seconds=1.0):
        await until(lambda: any(each["status"].get("outcome") for each in cluster.runs().values()))
    ended = next(each["status"] for each in cluster.runs().values() if each["status"].get("outcome"))
    assert ended["outcome"] == "Failed"
