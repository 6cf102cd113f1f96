"""`timewright export`."""

from pathlib import Path

import pytest
import yaml

from tests.unit.cli.schedule_cli import run_timewright
from timewright.decisions.acceptance import Accepted, accept

APP = """
from timewright import Schedule
schedule = Schedule("shop")
def sync(): ...
schedule.call(sync).daily_at("13:00")
schedule.command("ls").every(420)
mixed = Schedule("mixed")
mixed.call(lambda: 1).named("nameless")
"""
IMAGE = ("--image", "registry.example.com/shop:1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an application."""
    (tmp_path / "exported_app.py").write_text(APP)
    return tmp_path


def test_each_task_becomes_a_manifest(folder: Path) -> None:
    ended = run_timewright(folder, "export", "--app", "exported_app", *IMAGE, "-n", "shop")

    assert ended.returncode == 0
    manifests = list(yaml.safe_load_all(ended.stdout))
    assert [each["metadata"]["name"] for each in manifests] == ["sync", "ls"]
    assert [each["metadata"]["namespace"] for each in manifests] == ["shop", "shop"]
    assert all(isinstance(accept(each["spec"]), Accepted) for each in manifests)
    assert "@every counts from the last run in a cluster" in ended.stderr


def test_a_schedule_becomes_one_app(folder: Path) -> None:
    ended = run_timewright(folder, "export", *IMAGE, "--as", "app", TIMEWRIGHT_APP="exported_app:mixed")

    (manifest,) = yaml.safe_load_all(ended.stdout)
    assert manifest["metadata"]["name"] == "mixed"
    assert manifest["spec"]["app"]["run"] == ["timewright", "schedule:run", "--app", "exported_app:mixed"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--app", "exported_app:mixed"], "task 'nameless': the function cannot be imported by its name"),
        (["--app", "no_such_app"], "--app no_such_app: there is no module"),
        ([], "which schedule? Name it with --app"),
    ],
)
def test_what_cannot_be_exported(arguments: list[str], says: str, folder: Path) -> None:
    ended = run_timewright(folder, "export", *arguments, *IMAGE, TIMEWRIGHT_APP="")

    assert ended.returncode == 2
    assert says in ended.stderr
    assert ended.stdout == ""
