"""`timewright export`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from timewright.cli.export import run
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
IMAGE = "registry.example.com/shop:1"


@pytest.fixture(autouse=True)
def _in_the_folder_of_an_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "exported_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("TIMEWRIGHT_APP", raising=False)
    yield
    sys.modules.pop("exported_app", None)


def test_each_task_becomes_a_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--app", "exported_app", "--image", IMAGE, "-n", "shop"]) == 0

    printed = capsys.readouterr()
    manifests = list(yaml.safe_load_all(printed.out))
    assert [each["metadata"]["name"] for each in manifests] == ["sync", "ls"]
    assert [each["metadata"]["namespace"] for each in manifests] == ["shop", "shop"]
    assert all(isinstance(accept(each["spec"]), Accepted) for each in manifests)
    assert "@every counts from the last run in a cluster" in printed.err


def test_a_schedule_becomes_one_app(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEWRIGHT_APP", "exported_app:mixed")

    assert run(["--image", IMAGE, "--as", "app"]) == 0

    (manifest,) = yaml.safe_load_all(capsys.readouterr().out)
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
def test_what_cannot_be_exported(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments, "--image", IMAGE]) == 2

    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""
