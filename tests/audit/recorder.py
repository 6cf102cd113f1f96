"""Watches a namespace through `kubectl proxy`, and keeps every Job and TaskRun that there ever was, as seen last."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.cluster.cluster import Cluster

Manifest = dict[str, Any]

TASKS = "/apis/timewright.dev/v1alpha1/namespaces/{}/scheduledtasks"
TASK_RUNS = "/apis/timewright.dev/v1alpha1/namespaces/{}/taskruns"
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
PODS = "/api/v1/namespaces/{}/pods"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"

_RETRY_SECONDS = 0.3


class StaleError(Exception):
    """A version is too old for a watch to begin from it."""


class ApiProxy:
    """The API server over plain HTTP. Its methods may be called from any thread."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        command = cluster.command(["kubectl", "proxy", "--port=0"])
        self._process = subprocess.Popen(
            command, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline().rpartition(":")[2])

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def connection(self, timeout: float = 20.0) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        with self._cluster.entered():
            connection.connect()
        return connection

    def ask(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Manifest:
        """Make a request; raises OSError when it is not answered with success."""
        with closing(self.connection()) as connection:
            payload = None if body is None else json.dumps(body)
            try:
                connection.request(method, path, payload, {"Content-Type": content_type})
                response = connection.getresponse()
                content = response.read()
            except http.client.HTTPException as error:
                raise OSError(f"{method} {path}: {error}") from error
        if not 200 <= response.status <= 299:
            raise OSError(f"{method} {path}: {response.status} {content[:500]!r}")
        parsed: Manifest = json.loads(content)
        return parsed

    def watch(self, path: str, version: str = "") -> Iterator[Manifest]:
        """Yield every change of an object since a version of the collection, until the connection breaks.

        Without a version, or where it is too old, every object as it is comes first.
        """
        with closing(self.connection(timeout=40.0)) as connection:
            query = f"?watch=true&allowWatchBookmarks=true&timeoutSeconds=3600&resourceVersion={version}"
            connection.request("GET", path + query)
            response = connection.getresponse()
            if response.status == 410:
                raise StaleError(path)
            if response.status != 200:
                raise OSError(f"{path}: {response.status}")
            for line in response:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise StaleError(event["object"].get("message"))
                yield event


class Recorder:
    """Keeps what it sees, by UID. After a broken connection it goes on from where it was."""

    def __init__(self, proxy: ApiProxy, namespace: str) -> None:
        self.jobs: dict[str, Manifest] = {}
        self.task_runs: dict[str, Manifest] = {}
        self._proxy = proxy
        self._namespace = namespace
        self._stop = threading.Event()
        for template, kept in ((JOBS, self.jobs), (TASK_RUNS, self.task_runs)):
            follow = threading.Thread(target=self._follow, args=(template.format(namespace), kept), daemon=True)
            follow.start()

    def stop(self) -> None:
        self._stop.set()

    def tasks(self) -> list[Manifest]:
        """Return the ScheduledTasks as they are now."""
        found: list[Manifest] = self._proxy.ask("GET", TASKS.format(self._namespace))["items"]
        return found

    def _follow(self, path: str, kept: dict[str, Manifest]) -> None:
        version = ""
        while not self._stop.is_set():
            try:
                for event in self._proxy.watch(path, version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        kept[event["object"]["metadata"]["uid"]] = event["object"]
            except StaleError:
                version = ""
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(_RETRY_SECONDS)


@contextmanager
def recording(cluster: Cluster, namespace: str) -> Iterator[tuple[ApiProxy, Recorder]]:
    """Record a namespace for the time of a block."""
    proxy = ApiProxy(cluster)
    recorder = Recorder(proxy, namespace)
    try:
        yield proxy, recorder
    finally:
        recorder.stop()
        proxy.close()
