"""The console script as a process: what it imports, what it prints, and its exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.runner.harness import SOURCE, manifest
from timewright import __version__


def timewright(
    *arguments: str, called_as: str = "timewright", env: dict[str, str] | None = None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.argv[0] = {called_as!r}\n{before}\nfrom timewright.cli.main import main; main()"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HOME": "/nonexistent", **(env or {})}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )


HEAVY = ("typer", "rich", "kopf", "kubernetes", "aiohttp", "httpx", "yaml", "argparse", "timewright.controller")


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ({"command": ["true"]}, ()),
        ({"python": {"call": "os:getpid"}}, ()),
        ({"http": {"url": "http://localhost:1"}}, ("httpx",)),
    ],
)
def test_schedule_run_imports_no_more_than_it_needs(spec: dict[str, object], allowed: tuple[str, ...]) -> None:
    probe = (
        "import os\nend = os._exit\n"
        f"def leave(code): print('HEAVY', [m for m in {HEAVY} if sys.modules.get(m)], flush=True); end(code)\n"
        "os._exit = leave"
    )
    done = timewright("schedule:run", env={"TIMEWRIGHT_DEFINITION": manifest(spec)}, before=probe)
    assert f"HEAVY {list(allowed)}" in done.stdout, done.stdout + done.stderr


def test_schedule_run() -> None:
    done = timewright("schedule:run", env={"TIMEWRIGHT_DEFINITION": manifest({"command": ["echo", "hello"]})})
    assert done.returncode == 0
    assert "\nhello\n" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        ([], {}, "nothing to run: name a schedule with --app MODULE:ATTRIBUTE or manifests with -f FILE"),
        ([], {"TIMEWRIGHT_DEFINITION": ""}, "kubectl get scheduledtask NAME -o json"),
        (["--now"], {"TIMEWRIGHT_DEFINITION": "x"}, "unrecognized arguments: --now"),
        ([], {"TIMEWRIGHT_DEFINITION": "x"}, "InvalidDefinition: the definition is not JSON"),
        (
            [],
            {"TIMEWRIGHT_DEFINITION": manifest({"command": [""], "x": 1})},
            "spec.x: this version of timewright knows",
        ),
    ],
)
def test_schedule_run_without_a_definition(arguments: list[str], env: dict[str, str], words: str) -> None:
    done = timewright("schedule:run", *arguments, env=env)
    assert done.returncode == 2
    assert words in done.stdout + done.stderr


def test_help() -> None:
    assert timewright("schedule:run", "--help").stdout.startswith("usage: timewright schedule:run")
    overview = timewright("--help", env={"COLUMNS": "200"}).stdout
    for command in ("run-now", "history", "operator", "schedule:run", "schedule:explain", "version"):
        assert command in overview
    assert "Usage: timewright " in overview
    assert "Usage: kubectl timewright " in timewright("--help", called_as="/usr/bin/kubectl-timewright").stdout


def test_version() -> None:
    assert timewright("version").stdout == f"timewright {__version__}\n"


def test_usage_errors() -> None:
    assert timewright("no-such-command").returncode == 2
    assert timewright("history").returncode == 2
    assert timewright("history", "x", "--outcome", "Nonsense").returncode == 2
    done = timewright("run-now", "x", "--timeout", "3")
    assert done.returncode == 2
    assert "goes with --wait or --follow" in done.stderr


def test_no_kubeconfig(tmp_path: Path) -> None:
    done = timewright("run-now", "x", "--kubeconfig", str(tmp_path / "nothing"))
    assert done.returncode == 2
    assert done.stderr == (
        f"timewright: no kubeconfig at {tmp_path / 'nothing'}; "
        "name one with --kubeconfig or in the environment variable KUBECONFIG\n"
    )


def test_without_the_kubernetes_client() -> None:
    done = timewright("history", "x", before="sys.modules['kubernetes'] = sys.modules['aiohttp'] = None")
    assert done.returncode == 3
    assert "install it with: pip install 'timewright[operator]'" in done.stderr


def test_schedule_explain() -> None:
    assert timewright("schedule:explain", "0 4 * * *").returncode == 0
