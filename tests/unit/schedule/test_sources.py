"""Tasks that are loaded anew when their files change."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from timewright.schedule.errors import LoadError
from timewright.schedule.sources import AppSource, ManifestSource

APP = """
from timewright import Schedule
from reloaded_helper import NAMES
schedule = Schedule("shop")
for name in NAMES:
    schedule.command("ls").named(name)
"""
MANIFEST = """
apiVersion: timewright.dev/v1alpha1
kind: ScheduledTask
metadata: {name: NAME}
spec: {schedule: "@daily", command: [ls]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an application of two modules, in which this process is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "reloaded_app.py").write_text(APP)
    (tmp_path / "reloaded_helper.py").write_text("NAMES = ['a']")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def names(source: AppSource | ManifestSource) -> list[str]:
    return [task.name for task in source.load()]


def test_an_application_is_imported_anew_with_the_modules_that_it_imports(folder: Path) -> None:
    source = AppSource("reloaded_app")
    assert names(source) == ["a"]
    assert not source.has_changed()

    (folder / "reloaded_helper.py").write_text("NAMES = ['b']")  # of the same size, in the same second

    assert source.has_changed()
    assert names(source) == ["b"]
    assert not source.has_changed()


def test_a_mistake_is_told_and_what_was_stays_until_it_is_corrected(folder: Path) -> None:
    source = AppSource("reloaded_app")
    assert names(source) == ["a"]
    helper = sys.modules["reloaded_helper"]

    (folder / "reloaded_app.py").write_text(APP + "import reloaded_more")
    (folder / "reloaded_more.py").write_text("def (")
    assert source.has_changed()
    with pytest.raises(LoadError, match=r"importing reloaded_app failed: .*reloaded_more"):
        source.load()
    assert not source.has_changed()
    assert sys.modules["reloaded_helper"] is helper

    (folder / "reloaded_more.py").write_text("more = 1")
    assert source.has_changed()
    assert names(source) == ["a"]


def test_a_host_is_part_of_the_keys(folder: Path) -> None:
    source = AppSource("reloaded_app")
    source.host = "web1"

    assert [task.key for task in source.load()] == ["shop/a@web1"]


def test_manifests_are_read_anew(tmp_path: Path) -> None:
    source = ManifestSource([tmp_path])
    (tmp_path / "a.yaml").write_text(MANIFEST.replace("NAME", "a"))
    assert names(source) == ["a"]
    assert not source.has_changed()

    (tmp_path / "b.yaml").write_text(MANIFEST.replace("NAME", "b"))

    assert source.has_changed()
    assert names(source) == ["a", "b"]
    assert not source.has_changed()
