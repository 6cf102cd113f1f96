"""The examples in Python can be loaded, and what they promise to run by hand runs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import timewright
from timewright.schedule.loading import load_app

FOLDER = Path(__file__).parents[3] / "examples" / "python"


@pytest.fixture(autouse=True)
def _in_their_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("TIMEWRIGHT_STORE", f"sqlite://{tmp_path}/state.db")
    monkeypatch.setenv("PYTHONPATH", str(Path(timewright.__file__).parents[1]))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if hasattr(sys.modules[name], "__file__") and Path(str(sys.modules[name].__file__)).parent == FOLDER:
            del sys.modules[name]


@pytest.mark.parametrize("example", sorted(file.stem for file in FOLDER.glob("*.py")))
def test_an_example_can_be_loaded(example: str) -> None:
    assert load_app(example).tasks()


@pytest.mark.parametrize(
    ("task", "outcome", "output"),
    [
        ("heartbeat", "Succeeded", "the nominal time\n"),
        ("import_orders", "Succeeded", "importing orders since yesterday\n"),
        ("command", "Succeeded", "a command, without a shell\n"),
        ("pipe", "Succeeded", "A PIPE\n"),
    ],
)
def test_the_tour_runs(task: str, outcome: str, output: str) -> None:
    run = load_app("tour").run_now(task)

    assert (run.outcome, run.output.endswith(output)) == (outcome, True)
