"""Every example of a door, called the way that its platform calls it."""

import configparser
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func
import httpx
import pytest
import yaml
from azure.functions.meta import Datum
from azure.functions.timer import TimerRequestConverter

from tests.unit.runner.harness import SOURCE
from tests.unit.triggers.crontab.conftest import FAKE, executable
from tests.unit.triggers.crontab.crons import vixie
from tests.unit.triggers.http.test_request import PING_SOURCE
from tests.unit.triggers.http.test_serve import listening_at
from timewright.triggers.crontab.block import blocks
from timewright.triggers.crontab.environment import cron_environment

ROOT = Path(__file__).parents[3]
DOORS = ROOT / "examples" / "doors"
TOKEN = "a-token-of-this-test-1234"

# A folder for programs on PATH, with `timewright` as it would be installed.
Programs = Path


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    folder = tmp_path / "programs"
    folder.mkdir()
    executable(
        folder / "timewright",
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(SOURCE)!r})\n"
        "from timewright.cli.main import main\nmain()\n",
    )
    return folder


@pytest.fixture
def environment(programs: Programs, store: str, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TIMEWRIGHT_STORE": store,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def from_doors(monkeypatch: pytest.MonkeyPatch, forgetting_shop: None) -> Iterator[None]:
    """Let this process import the examples, and forget them afterwards."""
    monkeypatch.chdir(DOORS)
    yield
    sys.modules.pop("timewright.triggers.aws_lambda", None)


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(command: list[str], environment: dict[str, str], folder: Path = DOORS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def history(environment: dict[str, str]) -> list[dict[str, Any]]:
    done = run(["timewright", "schedule:history", "--app", "shop:schedule", "-o", "json"], environment)
    told = json.loads(done.stdout)
    return told["items"] if isinstance(told, dict) else told


def test_crontab(environment: dict[str, str], programs: Programs, tmp_path: Path) -> None:
    executable(programs / "crontab", FAKE)
    spool = tmp_path / "spool"
    spool.write_text("0 3 * * * backup\n")
    done = run([str(DOORS / "crontab.sh")], {**environment, "SPOOL": str(spool)}, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (block,) = blocks(spool.read_text())
    assert done.stdout.endswith(f"# shop\n{block.lines[0]}\n")

    command = vixie(block.lines[0].removeprefix("* * * * *").strip())
    run(["/bin/sh", "-c", command], cron_environment(str(tmp_path), "ann", ""), folder=Path("/"))
    assert [each["spec"]["taskRef"]["name"] for each in history(environment)] == ["sync-stock"]


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DOORS / "systemd" / name)
    return parser


def test_systemd(environment: dict[str, str]) -> None:
    service = unit("shop-schedule.service")["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert Path(program).name == "timewright"
    done = run(["timewright", *arguments], environment)
    assert done.returncode == 0, done.stderr
    assert [each["spec"]["taskRef"]["name"] for each in history(environment)] == ["sync-stock"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for name in ("shop-schedule.service", "shop-schedule.timer"):
        text = (DOORS / "systemd" / name).read_text()
        # It looks whether the program is there.
        (tmp_path / name).write_text(text.replace("/srv/shop/.venv/bin/timewright", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "shop-schedule.timer")]
    done = run(command, {"PATH": os.environ["PATH"]}, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def container(path: Path, *keys: str) -> dict[str, Any]:
    found: Any = next(yaml.safe_load_all(path.read_text()))
    for key in keys:
        found = found[key]
    return dict(found["containers"][0])


def test_kubernetes(environment: dict[str, str]) -> None:
    its = container(DOORS / "kubernetes" / "cronjob.yaml", "spec", "jobTemplate", "spec", "template", "spec")
    assert [each["name"] for each in its["env"]] == ["TIMEWRIGHT_RUN_ID", "TIMEWRIGHT_STORE"]
    minutes = int(datetime.now(UTC).timestamp()) // 60 - 3
    # A Pod that starts three minutes late, and another one that Kubernetes makes by mistake for the same minute.
    for _ in range(2):
        done = run(its["command"], {**environment, "TIMEWRIGHT_RUN_ID": f"shop-schedule-{minutes}"})
        assert done.returncode == 0, done.stderr
    (record,) = history(environment)
    assert datetime.fromisoformat(record["spec"]["scheduledAt"]).timestamp() == 60 * minutes


@pytest.mark.usefixtures("from_doors")
def test_aws_lambda(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template = yaml.safe_load((DOORS / "aws-lambda" / "template.yaml").read_text())
    properties = template["Resources"]["Schedule"]["Properties"]
    monkeypatch.setenv("TIMEWRIGHT_APP", properties["Environment"]["Variables"]["TIMEWRIGHT_APP"])
    module, _, attribute = properties["Handler"].rpartition(".")
    handler = getattr(importlib.import_module(module), attribute)
    given = json.loads(properties["Events"]["EveryMinute"]["Properties"]["Input"])
    assert given.keys() == event("scheduler").keys()

    names = ("scheduler", "scheduler-without-input", "rule")
    told = [handler(event(name), None) for name in names]
    # All three are for the same minute.
    assert [each["scheduledAt"] for each in told] == ["2026-03-08T04:00:00Z"] * 3
    assert [len(each["runs"]) for each in told] == [1, 0, 0]
    assert told[0]["runs"][0]["status"]["output"] == "stock as of 04:00\n"

    told = [handler(event("run-now"), None) for _ in range(2)]
    assert told[0]["status"]["output"] == "billed 2026-02\n"
    assert told[0]["metadata"] == told[1]["metadata"]


def event(name: str) -> dict[str, Any]:
    return dict(json.loads((DOORS / "aws-lambda" / "events" / f"{name}.json").read_text()))


@pytest.mark.usefixtures("from_doors")
async def test_azure_functions(environment: dict[str, str]) -> None:
    (function,) = imported(DOORS / "azure-functions" / "function_app.py").app.get_functions()
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    told = {"ScheduleStatus": {"Last": "0001-01-01T00:00:00+00:00", "Next": at.isoformat()}, "IsPastDue": False}
    timer = TimerRequestConverter.decode(Datum(json.dumps(told), "json"), trigger_metadata=None)
    assert isinstance(timer, func.TimerRequest)
    await function.get_user_function()(timer=timer)
    assert f"stock as of {at:%H:%M}\n" in [each["status"]["output"] for each in history(environment)]


def test_the_limits_of_the_azure_example_agree() -> None:
    host = json.loads((DOORS / "azure-functions" / "host.json").read_text())
    assert host["functionTimeout"] == "00:05:00"
    assert "timeout_seconds=300" in (DOORS / "azure-functions" / "function_app.py").read_text()


@pytest.mark.usefixtures("from_doors")
async def test_mounted_in_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEWRIGHT_SERVE_TOKEN", TOKEN)
    app = imported(DOORS / "http" / "application.py").app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        assert (await client.get("/")).text == "Welcome to the shop."
        assert (await client.post("/schedule/run")).status_code == 401
        response = await client.post("/schedule/run", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.json()["exitCode"] == 0


@contextmanager
def serving(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    process = subprocess.Popen(
        command, cwd=DOORS, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield listening_at(process)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_calls(environment: dict[str, str]) -> None:
    environment = {**environment, "TIMEWRIGHT_SERVE_TOKEN": TOKEN}
    with serving(["timewright", "serve", "--app", "shop:schedule", "--port", "0"], environment) as where:
        done = run([str(DOORS / "http" / "calls.sh")], {**environment, "SERVER": where})
    assert done.returncode == 0, done.stdout + done.stderr
    due, invoice, tasks, runs = map(json.loads, done.stdout.splitlines())
    assert due["runs"][0]["spec"]["taskRef"] == {"name": "sync-stock"}
    assert invoice["status"]["output"] == "billed 2026-02\n"
    assert [each["name"] for each in tasks["items"]] == ["sync-stock", "invoice"]
    assert [each["metadata"] for each in runs["items"]] == [invoice["metadata"]]


def test_knative(environment: dict[str, str]) -> None:
    manifest = DOORS / "knative" / "schedule.yaml"
    its = container(manifest, "spec", "template", "spec")
    *_, source = yaml.safe_load_all(manifest.read_text())
    arguments = [*its["command"], *its["args"]]
    arguments[arguments.index("--port") + 1] = "0"
    # As PingSource sends it, through the proxy in the Pod, which leaves the name of the service as it was.
    headers = {**PING_SOURCE, "ce-time": datetime.now(UTC).isoformat(), "Host": its["args"][-1]}
    with serving(arguments, environment) as where, httpx.Client(base_url=where) as client:
        assert client.get(its["readinessProbe"]["httpGet"]["path"]).status_code == 200
        response = client.post(source["spec"]["sink"]["uri"], headers=headers, content=b"")
    assert response.status_code == 200, response.text
    assert response.json()["outcomes"] == {"Succeeded": 1}


def code_blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / "how-to" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_pages_show_the_examples() -> None:
    (cron_job,) = code_blocks("kubernetes-cronjob.md", "yaml")
    assert yaml.safe_load(cron_job) == yaml.safe_load((DOORS / "kubernetes" / "cronjob.yaml").read_text())
    service, timer, _ = code_blocks("systemd.md", "ini")
    for shown, name in ((service, "shop-schedule.service"), (timer, "shop-schedule.timer")):
        text = (DOORS / "systemd" / name).read_text()
        assert shown == "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    (function_app,) = code_blocks("azure-functions.md", "python")
    assert (DOORS / "azure-functions" / "function_app.py").read_text().endswith(function_app)
