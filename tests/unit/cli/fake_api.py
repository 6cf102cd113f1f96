"""As much of a Kubernetes API server as the command line uses, with connections that break when a test says so."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Manifest = dict[str, Any]

_PLURALS = {"scheduledtasks": "ScheduledTask", "taskruns": "TaskRun", "pods": "Pod"}


class FakeApi:
    """Objects by plural and name, of one namespace. Every change has a number, as in etcd."""

    def __init__(self, directory: Path) -> None:
        self.objects: dict[str, dict[str, Manifest]] = {plural: {} for plural in _PLURALS}
        self.events: list[tuple[int, str, str, Manifest]] = []
        self.logs: dict[str, list[str]] = {}
        self.requests: list[str] = []
        self.errors: dict[str, tuple[int, Manifest]] = {}
        """Answers to requests whose "METHOD plural" is the key, in place of what they ask for."""
        self.break_watches = 0
        """How many watches to cut off after their first event."""
        self.version = 100
        self.changed = threading.Condition()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.kubeconfig = directory / "kubeconfig"
        cluster = {"server": f"http://127.0.0.1:{self._server.server_port}"}
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "fake", "cluster": cluster}],
                    "users": [{"name": "me", "user": {"token": "t"}}],
                    "contexts": [{"name": "c", "context": {"cluster": "fake", "user": "me", "namespace": "shop"}}],
                    "current-context": "c",
                }
            )
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, plural: str, manifest: Manifest, kind: str = "MODIFIED") -> Manifest:
        """Create or change an object."""
        with self.changed:
            self.version += 1
            name = manifest["metadata"]["name"]
            old = self.objects[plural].get(name, {"metadata": {"creationTimestamp": "2026-03-01T04:00:07Z"}})
            given = {"namespace": "shop", "uid": f"uid-{name}", "resourceVersion": str(self.version)}
            manifest = {**old, **manifest, "metadata": {**old["metadata"], **manifest["metadata"], **given}}
            self.objects[plural][name] = manifest
            self.events.append((self.version, plural, kind, manifest))
            self.changed.notify_all()
            return manifest

    def delete(self, plural: str, name: str) -> None:
        with self.changed:
            self.version += 1
            self.events.append((self.version, plural, "DELETED", self.objects[plural].pop(name)))
            self.changed.notify_all()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, 20)

    def log(self, pod: str, *lines: str) -> None:
        with self.changed:
            self.logs.setdefault(pod, []).extend(lines)
            self.changed.notify_all()

    def task(self, name: str = "nightly", **spec: Any) -> Manifest:
        return self.put("scheduledtasks", {"metadata": {"name": name}, "spec": {"schedule": "0 4 * * *", **spec}})

    def run(self, name: str, task: str = "nightly", status: Manifest | None = None, **spec: Any) -> Manifest:
        labels = {"timewright.dev/task": task}
        body: Manifest = {"metadata": {"name": name, "labels": labels}, "spec": {"taskRef": {"name": task}, **spec}}
        return self.put("taskruns", {**body, **({"status": status} if status else {})})

    @property
    def only_run(self) -> Manifest:
        (run,) = self.objects["taskruns"].values()
        return run


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: FakeApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, *_: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    server: _Server

    @property
    def api(self) -> FakeApi:
        return self.server.api

    def do_GET(self) -> None:
        parts, query = self._parsed()
        plural, name = parts[0], parts[1] if len(parts) > 1 else ""
        if self._failed("GET", plural):
            return
        if parts[2:] == ["log"]:
            self._stream(self._log_lines(name))
        elif name:
            found = self.api.objects[plural].get(name)
            text = f'{plural}.timewright.dev "{name}" not found'
            self._answer(200, found) if found else self._answer(404, {"reason": "NotFound", "message": text})
        elif query.get("watch"):
            self._stream(self._watch_lines(plural, query))
        else:
            items = [each for each in self.api.objects[plural].values() if _selected(each, query)]
            self._answer(200, {"metadata": {"resourceVersion": str(self.api.version)}, "items": items})

    def do_POST(self) -> None:
        parts, _ = self._parsed()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._failed("POST", parts[0]):
            return
        body["metadata"]["name"] = body["metadata"]["generateName"] + "x7k2p"
        self._answer(201, self.api.put(parts[0], body, "ADDED"))

    def _parsed(self) -> tuple[list[str], dict[str, str]]:
        url = urlsplit(self.path)
        parts = url.path.split("/")
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        with self.api.changed:
            self.api.requests.append(f"{self.command} {self.path}")
        return parts[parts.index("shop") + 1 :], query

    def _failed(self, method: str, plural: str) -> bool:
        error = self.api.errors.get(f"{method} {plural}")
        if error is not None:
            self._answer(*error)
        return error is not None

    def _answer(self, status: int, body: Manifest) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, lines: Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            for line in lines:
                data = line.encode()
                for piece in (data[:7], data[7:]):  # chunks need not end where lines do
                    if piece:
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                        self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _watch_lines(self, plural: str, query: dict[str, str]) -> Iterator[str]:
        seen, deadline = int(query["resourceVersion"]), time.monotonic() + 20
        while time.monotonic() < deadline:
            with self.api.changed:
                self.api.changed.wait_for(lambda seen=seen: self.api.version > seen, 0.5)  # type: ignore[misc]
                events = [each for each in self.api.events if each[0] > seen and each[1] == plural]
                breaking = events and self.api.break_watches > 0
                self.api.break_watches -= bool(breaking)
            for version, _, kind, manifest in events[:1] if breaking else events:
                seen = version
                if _selected(manifest, query):
                    yield json.dumps({"type": kind, "object": manifest}) + "\n"
            if breaking:
                raise OSError("cut off")

    def _log_lines(self, pod: str) -> Iterator[str]:
        position = 0
        while True:
            with self.api.changed:
                self.api.changed.wait_for(lambda position=position: len(self.api.logs.get(pod, [])) > position, 10)  # type: ignore[misc]
                lines = self.api.logs.get(pod, [])[position:]
            for line in lines:
                position += 1
                if line == "END":
                    return
                yield f"2026-03-01T04:00:{position:02}.000000000Z {line}\n"

    def log_message(self, *_: Any) -> None:
        pass


def _selected(manifest: Manifest, query: dict[str, str]) -> bool:
    labels = manifest["metadata"].get("labels", {})
    for selector in filter(None, query.get("labelSelector", "").split(",")):
        key, _, value = selector.partition("=")
        if labels.get(key) != value:
            return False
    name = query.get("fieldSelector", "").partition("metadata.name=")[2]
    return not name or manifest["metadata"]["name"] == name
