"""Which store a URL or the surroundings name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from timewright.storage.location import default_path, store_of
from timewright.storage.protocol import Store, StoreError
from timewright.storage.sqlite import SqliteStore

HOME = {"HOME": "/home/ada"}


def name(url: str | None, environ: dict[str, str]) -> str:
    return store_of(url, environ).name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///var/lib/tasks.db", "sqlite:/var/lib/tasks.db"),
        ("sqlite:////var/lib/tasks.db", "sqlite:/var/lib/tasks.db"),
        ("sqlite:/var/lib/tasks.db", "sqlite:/var/lib/tasks.db"),
        ("sqlite:~/tasks.db", "sqlite:/home/ada/tasks.db"),
        ("sqlite:a b/100%25.db", f"sqlite:{Path.cwd()}/a b/100%25.db"),
        ("memory:", "memory:"),
        ("postgresql://ada:secret@db.example:5433/tasks?sslmode=require", "postgresql://ada@db.example:5433/tasks"),
        ("postgres://db.example/tasks", "postgres://db.example/tasks"),
    ],
)
def test_a_url_names_a_store(url: str, expected: str) -> None:
    assert name(url, HOME) == expected
    assert name(None, {**HOME, "TIMEWRIGHT_STORE": url}) == expected
    assert name(url, {**HOME, "TIMEWRIGHT_STORE": "sqlite:///elsewhere"}) == expected


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/path",
        "mysql://u:secret@h/d",
        "/var/lib/tasks.db",
        "postgresql:db",
    ],
)
def test_what_names_no_store_is_refused_with_what_would(url: str) -> None:
    with pytest.raises(StoreError, match=r"TIMEWRIGHT_STORE.*sqlite:///") as raised:
        store_of(url, HOME)
    assert "secret" not in str(raised.value)


def test_an_empty_variable_names_nothing() -> None:
    assert name(None, {**HOME, "TIMEWRIGHT_STORE": ""}) == name("", HOME) == name(None, HOME)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (HOME, "/home/ada/.local/state/timewright/state.db"),
        ({**HOME, "XDG_STATE_HOME": "/state"}, "/state/timewright/state.db"),
        ({**HOME, "XDG_STATE_HOME": "relative"}, "/home/ada/.local/state/timewright/state.db"),
        ({**HOME, "XDG_STATE_HOME": "/state", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "/tmp/timewright/state.db"),
        ({"TMPDIR": "/scratch", "AWS_LAMBDA_FUNCTION_NAME": "f"}, "/scratch/timewright/state.db"),
    ],
)
def test_the_default_is_in_the_folder_for_state(environ: dict[str, str], expected: str) -> None:
    assert default_path(environ) == Path(expected)


def test_the_default_of_a_lasting_machine_protects() -> None:
    store = store_of(None, HOME)
    assert (store.unprotected, store.shared) == (None, False)


@pytest.mark.parametrize(
    "variable",
    ["KUBERNETES_SERVICE_HOST", "AWS_LAMBDA_FUNCTION_NAME", "FUNCTIONS_WORKER_RUNTIME", "K_SERVICE", "CLOUD_RUN_JOB"],
)
def test_the_default_of_a_place_that_ends_does_not_protect_but_what_was_named_does(
    variable: str, tmp_path: Path
) -> None:
    environ = {"TMPDIR": str(tmp_path), variable: "something"}
    unprotected = store_of(None, environ).unprotected
    assert unprotected is not None
    assert "TIMEWRIGHT_STORE" in unprotected
    assert "postgresql://" in unprotected
    assert store_of("sqlite:///mounted/state.db", environ).unprotected is None
    assert store_of(None, {**environ, "TIMEWRIGHT_STORE": "postgresql://h/d"}).unprotected is None


@pytest.mark.parametrize("environ", [HOME, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}])
def test_memory_protects_nobody(environ: dict[str, str]) -> None:
    unprotected = store_of("memory:", environ).unprotected
    assert unprotected is not None
    assert "TIMEWRIGHT_STORE" in unprotected


def test_only_what_other_machines_see_is_shared() -> None:
    assert store_of("postgresql://h/d", HOME).shared
    assert not store_of("sqlite:x", HOME).shared


def test_a_container_whose_disk_cannot_be_written_has_its_memory(tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "TMPDIR": "/proc/nowhere"}
    assert name(None, environ) == "memory:"
    assert name(None, {**environ, "TMPDIR": str(tmp_path)}) == f"sqlite:{tmp_path}/timewright/state.db"


def test_both_are_stores() -> None:
    """For the type checker as well, which reads this."""
    stores: list[Store] = [SqliteStore(":memory:"), store_of("postgresql://h/d", {})]
    assert all(store.lease_seconds > 0 for store in stores)


def imported(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_store_on_this_machine_costs_the_import_of_no_other() -> None:
    loaded = imported("from timewright.storage.location import store_of; store_of('sqlite:x', {})")
    assert "timewright.storage.sqlite" in loaded
    assert not loaded & {"psycopg", "timewright.storage.postgresql", "pydantic", "httpx", "typer"}


def test_without_psycopg_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.startswith(("psycopg", "timewright.storage.postgresql"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'timewright\[postgresql\]'"):
        store_of("postgresql://h/d", HOME)
