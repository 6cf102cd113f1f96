"""HTTP tasks against a real server on this machine."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.harness import PATIENCE_SECONDS, Finished, run
from timewright.resources.definition import secret_variable
from timewright.resources.vocabulary import Outcome

TOKEN = "Bearer s3cr3t-t0ken"


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if path == "/slow":
            time.sleep(60)
        if path == "/drip":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(600):
                    self.wfile.write(b"1\r\nx\r\n")
                    time.sleep(0.1)
            return
        if path == "/hang-up":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if path == "/garbage":
            self.wfile.write(b"hello there\r\n\r\n")
            self.close_connection = True
            return
        status = int(path[1:4]) if path[1:4].isdecimal() else 200
        if path == "/echo":
            seen = self.headers.items()
            body = f"{self.command} {self.path}\n{seen}\n".encode() + body
        elif path == "/large":
            body = b"begin" + b"y" * 3_000_000
        else:
            body = b"response body"
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with serving() as url:
        yield url


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Shop)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def request(directory: Path, url: str, env: dict[str, str] | None = None, **http: Any) -> Finished:
    spec: dict[str, Any] = {"http": {"url": url, **http}}
    if "timeoutSeconds" in http:
        spec["timeoutSeconds"] = spec["http"].pop("timeoutSeconds")
    return await run(directory, spec, env)


@pytest.mark.parametrize(
    ("path", "expected", "reason"),
    [
        ("/200", None, "Completed"),
        ("/204", None, "Completed"),
        ("/302", None, "UnexpectedStatus"),
        ("/302", ["3xx"], "Completed"),
        ("/404", ["2xx", "404"], "Completed"),
        ("/200", ["204"], "UnexpectedStatus"),
        ("/503", None, "UnexpectedStatus"),
    ],
)
async def test_status(tmp_path: Path, server: str, path: str, expected: list[str] | None, reason: str) -> None:
    done = await request(tmp_path, f"{server}{path}", **({"expectedStatus": expected} if expected else {}))
    assert done.told.reason == reason
    assert done.exit_code == (0 if reason == "Completed" else 1)
    assert done.told.message.startswith(f"GET {server}{path}: {path[1:]} ")
    if reason != "Completed":
        assert f"expected {', '.join(expected or ['2xx'])} (spec.http.expectedStatus)" in done.told.message
    assert done.told.output == ("" if path == "/204" else "response body")


async def test_what_is_sent(tmp_path: Path, server: str) -> None:
    variable = secret_variable("shop", "token")
    done = await request(
        tmp_path,
        f"{server}/echo?id=$(TIMEWRIGHT_RUN_ID)",
        {variable: f"{TOKEN}\n", "API_KEY": "key-12345678"},
        method="POST",
        body='{"at": "$(TIMEWRIGHT_SCHEDULED_AT)", "price": "$$(5)", "é": 1}',
        headers=[
            {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}},
            {"name": "X-Key", "value": "$(API_KEY)"},
            {"name": "X-Twice", "value": "1"},
            {"name": "X-Twice", "value": "2"},
        ],
    )
    assert done.exit_code == 0
    output = done.told.output
    assert "POST /echo?id=nightly-29123456" in output
    assert '{"at": "2025-05-16T14:56:00Z", "price": "$(5)", "é": 1}' in output
    assert "('X-Twice', '1'), ('X-Twice', '2')" in output
    assert "timewright/" in output
    assert "('Authorization', '***')" in output
    assert "('X-Key', '***')" in output
    assert "s3cr3t" not in done.stdout + done.stderr
    assert "key-12345678" not in done.stdout + done.stderr


async def test_credentials_in_the_url_are_not_told(tmp_path: Path, server: str) -> None:
    url = server.replace("http://", "http://user:pa55w0rd@") + "/500?token=abc"
    done = await request(tmp_path, url)
    assert done.told.message.startswith(f"GET {server}/500: 500 ")
    assert "pa55w0rd" not in done.stdout + done.told.message


async def test_only_the_beginning_of_a_large_body_is_kept(tmp_path: Path, server: str) -> None:
    done = await request(tmp_path, f"{server}/large")
    assert done.told.output.startswith("beginyyy")
    assert "… 2998005 bytes more …" in done.told.output
    assert len(done.stdout) < 5000


@pytest.mark.parametrize("path", ["/slow", "/drip"])
async def test_timeout_is_for_the_whole_response(tmp_path: Path, server: str, path: str) -> None:
    done = await request(tmp_path, f"{server}{path}", timeoutSeconds=1)
    assert (done.told.outcome, done.told.reason) == (Outcome.FAILED, "TimedOut")
    assert "no full response within 1 s (spec.timeoutSeconds)" in done.told.message
    assert done.seconds < PATIENCE_SECONDS


@pytest.mark.parametrize(
    ("path", "words"),
    [("/hang-up", "the server did not answer as HTTP asks"), ("/garbage", "the server did not answer as HTTP asks")],
)
async def test_a_server_that_misbehaves(tmp_path: Path, server: str, path: str, words: str) -> None:
    done = await request(tmp_path, f"{server}{path}")
    assert done.told.reason == "RequestFailed"
    assert words in done.told.message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/x", "connection refused"),
        ("http://no-such-host.invalid/x", "the host name cannot be resolved"),
        ("http://$(NOPE)/x", "spec.http.url names $(NOPE), which is not set"),
        ("http://[::1/x", "not a URL that can be requested"),
    ],
)
async def test_requests_that_fail(tmp_path: Path, url: str, words: str) -> None:
    done = await request(tmp_path, url)
    assert (done.told.outcome, done.told.reason) == (Outcome.FAILED, "RequestFailed")
    assert words in done.told.message


async def test_a_header_that_cannot_be_sent(tmp_path: Path, server: str) -> None:
    done = await request(tmp_path, server, {"BAD": "a\nb"}, headers=[{"name": "X", "value": "$(BAD)"}])
    assert done.told.reason == "RequestFailed"
    assert "check spec.http.headers" in done.told.message


def make_certificate(key: Path, certificate: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=shop -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)


async def test_tls(tmp_path: Path, server: str) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make_certificate(key, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(context) as url:
        done = await request(tmp_path, f"{url}/200")
        assert done.told.reason == "RequestFailed"
        assert "the server's certificate is not trusted" in done.told.message
        assert "SSL_CERT_FILE" in done.told.message
        done = await request(tmp_path, f"{url}/200", {"SSL_CERT_FILE": str(certificate)})
        assert done.exit_code == 0
    done = await request(tmp_path, server.replace("http://", "https://"))
    assert "is this a plain http port?" in done.told.message


async def test_sigterm_while_waiting(tmp_path: Path, server: str) -> None:
    from tests.unit.runner.harness import start

    running = await start(tmp_path, {"http": {"url": f"{server}/slow"}})
    assert running.process.stdout is not None
    await running.process.stdout.readline()
    await asyncio.sleep(0.5)
    running.process.terminate()
    done = await running.finished()
    assert (done.told.outcome, done.told.reason) == (Outcome.CANCELLED, "Terminated")
    assert done.seconds < PATIENCE_SECONDS
