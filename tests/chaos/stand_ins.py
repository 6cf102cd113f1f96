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

from tests.audit.recorder import PODS, ApiProxy
from tests.cluster.cluster import Cluster


class PodEnder:
    """Says of each Pod of a namespace that it has succeeded, as a kubelet would."""

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
                    if event["type"] != "DELETED" and pod["status"].get("phase") == "Pending":
                        self._end(pod["metadata"]["name"])
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(0.3)

    def _end(self, name: str) -> None:
        body = {"status": {"phase": "Succeeded"}}
        try:
            self._proxy.ask("PATCH", f"{self._path}/{name}/status", body, "application/merge-patch+json")
        except OSError as error:
            if " 404 " not in str(error):
                raise


@contextmanager
def trace_sink(cluster: Cluster, trace: Path) -> Iterator[str]:
    """Serve, inside the network, a URL at which a request becomes two lines of a trace."""
    numbers = itertools.count()

    class Sink(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            carrier = f"request{next(numbers)}.0"
            with trace.open("a") as file:
                file.write("".join(f"{what} {text} {carrier} {time.time():.6f}\n" for what in ("start", "end")))
            self.send_response(204)
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
