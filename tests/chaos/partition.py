"""A way to the API server that can be cut: what is sent is neither delivered nor refused, as on a broken network."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.pki import API_SERVER

_CHUNK = 65536


class Partition:
    """A TCP proxy of the API server on the loopback interface of a cluster's network."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._whole = threading.Event()
        self._whole.set()
        with cluster.entered():
            self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that goes this way."""
        text = self._cluster.kubeconfig.read_text()
        port = self._listening.getsockname()[1]
        changed = text.replace(f"https://{API_SERVER}", f"https://127.0.0.1:{port}", 1)
        assert changed != text, text
        path.write_text(changed.replace(f"127.0.0.1:{port}:443", f"127.0.0.1:{port}"))
        return path

    def cut(self) -> None:
        """Let nothing through any more."""
        self._whole.clear()

    def heal(self) -> None:
        """Let everything through, what was sent meanwhile first."""
        self._whole.set()

    def close(self) -> None:
        self._is_closed = True
        self._whole.set()
        for each in (self._listening, *self._ends):
            with contextlib.suppress(OSError):
                each.close()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._whole.wait()
        try:
            with self._cluster.entered():
                far = socket.create_connection((API_SERVER, 443), timeout=10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._ends += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                self._whole.wait()
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, sink):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
