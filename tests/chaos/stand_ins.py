"""What a cluster without a node lacks: somebody who ends Pods; and a server that tasks leave traces at."""

from __future__ import annotations

import http.client
import http.server
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.audit.recorder import PODS, ApiProxy, StaleError
from tests.cluster.cluster import Cluster

POD_SECONDS = "audit/seconds"
"""Annotation of a Pod: how long it takes. Without it, a Pod ends at once."""


class PodEnder:
    """Says of each Pod of a Job that it has succeeded, as a kubelet would."""

    def __init__(self, proxy: ApiProxy, namespace: str) -> None:
        self._proxy, self._path = proxy, PODS.format(namespace)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                for event in self._proxy.watch(self._path):
                    pod = event["object"]
                    if event["type"] not in ("DELETED", "BOOKMARK") and _waits(pod):
                        seconds = float((pod["metadata"].get("annotations") or {}).get(POD_SECONDS, 0))
                        timer = threading.Timer(seconds, self._end, (pod["metadata"]["name"],))
                        timer.daemon = True
                        timer.start()
            except (OSError, ValueError, StaleError, http.client.HTTPException):
                time.sleep(0.3)

    def _end(self, name: str) -> None:
        body = {"status": {"phase": "Succeeded"}}
        while not self._stop.is_set():
            try:
                self._proxy.ask("PATCH", f"{self._path}/{name}/status", body, "application/merge-patch+json")
            except OSError as error:
                if " 404 " in str(error):
                    return
                time.sleep(0.3)
            else:
                return


def _waits(pod: dict[str, Any]) -> bool:
    kinds = {each["kind"] for each in pod["metadata"].get("ownerReferences") or []}
    return kinds == {"Job"} and pod["status"].get("phase") == "Pending"


@contextmanager
def trace_sink(cluster: Cluster, trace: Path) -> Iterator[str]:
    """Serve, inside the network, a URL at which a request becomes two lines of a trace.

    At the path `/flaky` the first request of a run leaves the first line and is refused, the next one leaves the other.
    """
    numbers = itertools.count()
    refused: dict[str, str] = {}

    class Sink(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # whoever sent it was killed before it was whole
            text = body.decode()
            carrier, lines, status = f"request{next(numbers)}.0", ["start", "end"], 204
            if self.path == "/flaky":
                if text in refused:
                    carrier, lines = refused.pop(text), ["end"]
                else:
                    refused[text] = carrier
                    lines, status = ["start"], 503
            with trace.open("a") as file:
                file.write("".join(f"{what} {text} {carrier} {time.time():.6f}\n" for what in lines))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with cluster.entered():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
