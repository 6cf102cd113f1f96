"""The cache by content."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import cache
from tests.cluster.images import PROJECT
from tests.cluster.progress import Progress


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIMEWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_key_changes_with_content_and_with_names(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a").write_text("1")
    first = cache.key(folder)

    (folder / "a").write_text("2")
    second = cache.key(folder)
    (folder / "a").rename(folder / "b")
    third = cache.key(folder)

    assert len({first, second, third}) == 3


def test_a_key_ignores_what_python_leaves_behind(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("1")
    before = cache.key(folder)

    (folder / "__pycache__" / "a.pyc").write_text("compiled")

    assert cache.key(folder) == before


def test_an_entry_is_made_once() -> None:
    made = []

    def make(folder: Path, _: Progress) -> None:
        made.append(folder)
        (folder / "result").write_text("x")

    first = cache.entry("kind", "name", make)
    second = cache.entry("kind", "name", make)

    assert first == second
    assert (second / "result").read_text() == "x"
    assert len(made) == 1


def test_an_entry_that_failed_is_not_there(empty_cache: Path) -> None:
    def fail(folder: Path, _: Progress) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.entry("kind", "name", fail)

    assert not list((empty_cache / "kind").iterdir())


def test_of_two_processes_one_makes_the_entry(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"""
import time
from pathlib import Path
from tests.cluster import cache

def make(folder, progress):
    with Path({str(log)!r}).open("a") as log:
        log.write("made\\n")
    time.sleep(1)

cache.entry("kind", "name", make)
"""
    processes = [subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT) for _ in range(2)]

    assert [process.wait() for process in processes] == [0, 0]
    assert log.read_text() == "made\n"
