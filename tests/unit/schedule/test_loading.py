"""Finding an application's schedule by its name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from timewright import DeclarationError
from timewright.schedule.errors import LoadError
from timewright.schedule.loading import load_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of an application, in which this process is; its modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


SHOP = """
from timewright import Schedule
schedule = Schedule("shop")
schedule.command("ls").daily()
class Container:
    nightly = Schedule("nightly")
def create():
    return Schedule("made")
async def later():
    return schedule
number = 5
"""


@pytest.mark.parametrize(
    ("reference", "name", "app"),
    [
        ("shop_app:schedule", "shop", "shop_app:schedule"),
        ("shop_app", "shop", "shop_app:schedule"),
        ("shop_app:Container.nightly", "nightly", "shop_app:Container.nightly"),
        ("shop_app:create", "made", "shop_app:create"),
    ],
)
def test_a_schedule_is_found_in_the_current_folder(folder: Path, reference: str, name: str, app: str) -> None:
    (folder / "shop_app.py").write_text(SHOP)

    schedule = load_app(reference)

    assert (schedule.name, schedule.app) == (name, app)


def test_a_function_that_cannot_be_imported_is_found_by_way_of_the_schedule(folder: Path) -> None:
    (folder / "lambdas.py").write_text(
        "from timewright import Schedule\n"
        "def plain(): ...\n"
        "schedule = Schedule('s')\n"
        "schedule.call(plain)\n"
        "schedule.call(lambda: 1).named('nameless')\n"
    )

    plain, nameless = load_app("lambdas").tasks()

    assert plain.definition.work.reference is None  # type: ignore[union-attr]
    assert nameless.definition.work.reference == "app:lambdas:schedule#nameless"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("", "--app '' is not of the form module:attribute; write it like shop.tasks:schedule"),
        ("shop/app.py", "--app 'shop/app.py' is not of the form module:attribute"),
        ("nowhere", "--app nowhere: there is no module 'nowhere' in {folder} or elsewhere on Python's path; go to the"),
        ("shop_app.x:schedule", "--app shop_app.x:schedule: there is no module 'shop_app.x' in"),
        (
            "shop_app:shedule",
            "--app shop_app:shedule: shop_app ({folder}/shop_app.py) has no 'shedule'; it has shop_app:sch",
        ),
        ("shop_app:number", "--app shop_app:number: it is of type int, and a timewright.Schedule is expected, or a"),
        ("shop_app:Container", "it is of type type, and a timewright.Schedule is expected"),
        ("shop_app:later", "it is of type function, and a timewright.Schedule is expected"),
    ],
)
def test_what_cannot_be_found(folder: Path, reference: str, says: str) -> None:
    (folder / "shop_app.py").write_text(SHOP)

    with pytest.raises(LoadError) as caught:
        load_app(reference)

    assert says.format(folder=folder) in str(caught.value)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "import timewright_has_no_such_module",
            "failed at {file}:1: ModuleNotFoundError: No module named 'timewright_has",
        ),
        ("\n1 / 0", "failed at {file}:2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('not today')", "failed at {file}:2: SystemExit: not today"),
        ("def (", "broken failed: "),
        ("def schedule(): raise ValueError('no database')", "schedule() failed at {file}:1: ValueError: no database"),
        (
            "def schedule(): ...",
            "the function returned None, and a schedule is expected; return the timewright.Schedule",
        ),
    ],
)
def test_a_module_that_fails_is_no_module_that_is_missing(folder: Path, code: str, says: str) -> None:
    file = folder / "broken.py"
    file.write_text(code)

    with pytest.raises(LoadError) as caught:
        load_app("broken")

    assert says.format(file=file) in str(caught.value)
    assert str(caught.value).startswith("--app broken: ")


def test_what_cannot_be_declared_speaks_for_itself(folder: Path) -> None:
    (folder / "wrong.py").write_text("from timewright import Schedule\nschedule = Schedule('s')\nschedule.every(0)\n")

    with pytest.raises(DeclarationError, match=r"wrong\.py:3: every 0 does not fit"):
        load_app("wrong")
