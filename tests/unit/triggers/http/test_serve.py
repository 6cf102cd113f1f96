"""`timewright serve` as a process of its own, called over real sockets."""

import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.unit.runner.harness import SOURCE
from tests.unit.triggers.conftest import rfc3339
from tests.unit.triggers.http.conftest import BEARER, TOKEN
from timewright.cli.app import app

APP = """
from timewright import Schedule

schedule = Schedule("shop")
schedule.command("echo hello").every_minute().named("hello")
# In a command `$$` stands for one `$`.
long = "echo $$$$ > began; while [ ! -e may-end ]; do sleep 0.05; done"
schedule.command(["sh", "-c", long]).only_by_hand().named("long")
"""
PATIENCE_SECONDS = 30.0


@dataclass
class Server:
    """A server, and the folder that it runs in."""

    process: subprocess.Popen[str]
    folder: Path
    where: str

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.where, headers=BEARER, timeout=PATIENCE_SECONDS, **options)  # type: ignore[arg-type]

    def begin_long_run(self) -> None:
        with self.client() as client:
            assert client.post("/tasks/long/run", headers={"Prefer": "respond-async"}).status_code == 202
        wait_until((self.folder / "began").exists)

    def wait_until_closed(self) -> None:
        port = int(self.where.rpartition(":")[2])

        def closed() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) != 0

        wait_until(closed)

    def end(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def listening_at(process: subprocess.Popen[str]) -> str:
    """Return what the server says that it listens at."""
    assert process.stderr is not None
    told = ""
    while select.select([process.stderr], [], [], PATIENCE_SECONDS)[0]:
        line = process.stderr.readline()
        told += line
        if found := re.search(r"listening at (\S+)", line):
            return found[1]
        if not line:
            break
    raise AssertionError(f"the server did not start: {told}")


@contextmanager
def serving(folder: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    (folder / "shop.py").write_text(APP)
    process = subprocess.Popen(
        [sys.executable, "-m", "timewright.cli.main", "serve", "--app", "shop:schedule", *arguments],
        cwd=folder,
        env={
            "PYTHONPATH": str(SOURCE),
            "PATH": os.environ["PATH"],
            "TIMEWRIGHT_STORE": f"sqlite:///{folder}/state.db",
            **environment,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Server(process, folder, listening_at(process))
    finally:
        (folder / "may-end").touch()
        process.kill()
        process.communicate()


def test_serves_over_a_loopback_socket(tmp_path: Path, minute: datetime) -> None:
    with serving(tmp_path, "--port", "0", TIMEWRIGHT_SERVE_TOKEN=TOKEN) as server, server.client() as client:
        assert server.where.startswith("http://127.0.0.1:")
        told = client.post("/run", json={"at": rfc3339(minute)}).json()
        assert told["outcomes"] == {"Succeeded": 1}
        assert [task["name"] for task in client.get("/tasks").json()["items"]] == ["hello", "long"]
        assert client.get("/runs", params={"task": "hello"}).json()["items"][0]["status"]["output"] == "hello\n"
        assert client.get("/tasks", headers={"Authorization": "Bearer x"}).status_code == 401
        response = client.get("/healthz", headers={"Authorization": ""})
        assert (response.status_code, "server" in response.headers) == (200, False)
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == 0


def test_sigterm_waits_for_runs(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0", TIMEWRIGHT_SERVE_TOKEN=TOKEN) as server:
        server.begin_long_run()
        server.process.send_signal(signal.SIGTERM)
        server.wait_until_closed()
        assert server.process.poll() is None
        (tmp_path / "may-end").touch()
        assert server.end() == 0
    assert outcome_of_long(tmp_path) == ("Succeeded", "Completed")


@pytest.mark.parametrize("twice", [True, False])
def test_a_run_that_takes_too_long_is_stopped_and_recorded(tmp_path: Path, twice: bool) -> None:
    drain = "600" if twice else "0.2"
    with serving(tmp_path, "--port", "0", "--drain", drain, TIMEWRIGHT_SERVE_TOKEN=TOKEN) as server:
        server.begin_long_run()
        server.process.send_signal(signal.SIGTERM)
        if twice:
            server.wait_until_closed()  # signals that come at once are one signal
            server.process.send_signal(signal.SIGTERM)
        assert server.end() == 0
    assert outcome_of_long(tmp_path) == ("Cancelled", "Terminated")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "began").read_text()), 0)


def outcome_of_long(folder: Path) -> tuple[str, str]:
    from timewright.storage.protocol import HistoryQuery
    from timewright.storage.sqlite import SqliteStore
    from timewright.triggers.run_to_end import run_to_end

    async def last() -> tuple[str, str]:
        store = SqliteStore(folder / "state.db")
        await store.open()
        (run,) = await store.history(HistoryQuery())
        await store.close()
        return str(run.outcome), run.reason

    return run_to_end(last())


def test_a_unix_socket_is_this_user_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    for _ in range(2):  # the second one finds what the first one left
        with serving(tmp_path, "--unix-socket", str(path)) as server:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            server.where = "http://localhost"
            with server.client(transport=httpx.HTTPTransport(uds=str(path))) as client:
                assert client.get("/tasks", headers={"Authorization": ""}).status_code == 200
    assert path.exists()
    with serving(tmp_path, "--unix-socket", str(path), TIMEWRIGHT_SERVE_TOKEN=TOKEN) as server:
        server.where = "http://localhost"
        with server.client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            assert client.get("/tasks").status_code == 200
            assert client.get("/tasks", headers={"Authorization": ""}).status_code == 401
        server.process.send_signal(signal.SIGINT)
        assert server.end() == 0
    assert not path.exists()


def test_without_authentication_on_loopback(tmp_path: Path) -> None:
    options = ("--port", "0", "--no-auth", "--allow-host", "shop.local")
    with serving(tmp_path, *options) as server, httpx.Client(base_url=server.where) as client:
        assert client.get("/tasks").status_code == 200
        assert client.get("/tasks", headers={"Host": "shop.local"}).status_code == 200
        assert client.get("/tasks", headers={"Host": "evil.example"}).status_code == 421
        assert client.post("/run", headers={"Origin": "http://localhost:3000"}).status_code == 403


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "nothing to serve"),
        (("--app", "shop:schedule", "-f", "x.yaml"), 2, "expected either --app"),
        (("--app", "shop:schedule"), 2, "TIMEWRIGHT_SERVE_TOKEN has no token.*--token-file.*--no-auth on loopback"),
        (("--app", "shop:schedule", "--host", "0.0.0.0", "--no-auth"), 2, "--no-auth with --host 0.0.0.0: others"),
        (("--app", "shop:schedule", "--token-file", "none"), 2, "the file none cannot be read"),
        (("--app", "shop:nothing"), 2, "has no 'nothing'"),
        (("-f", "nowhere.yaml"), 2, "nowhere.yaml: there is no such file"),
        (("--app", "shop:schedule", "--store", "mysql://x"), 2, "mysql:… names no store"),
        (("--app", "shop:schedule", "--no-auth", "--host", "192.0.2.1"), 2, "--no-auth with --host 192.0.2.1"),
        (("--app", "shop:schedule", "--unix-socket", "/proc/none/socket"), 3, "--unix-socket /proc/none/socket"),
    ],
)
@pytest.mark.usefixtures("forgetting_shop")
def test_what_cannot_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "shop.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["serve", *arguments], catch_exceptions=False)
    assert done.exit_code == code, done.stderr
    assert re.search(words, done.stderr)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = f"port {port} of 127.0.0.1: Address already in use; choose another"
        with (
            pytest.raises(AssertionError, match=words),
            serving(tmp_path, "--port", port, TIMEWRIGHT_SERVE_TOKEN=TOKEN),
        ):
            pass
