"""A real Kubernetes cluster on this host, as an object."""

import http.client
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self

from tests.cluster import host, images, namespace, registry, toolchain
from tests.cluster.command import CommandError
from tests.cluster.components import Components
from tests.cluster.errors import ClusterError
from tests.cluster.image_store import Image
from tests.cluster.options import Options
from tests.cluster.pki import API_SERVER, NODE_ADDRESS, NODE_NAME, Pki
from tests.cluster.sandbox import START_OF_LOG, Sandbox

# Far above what a start takes on an idle machine: the machine may be busy with anything else.
PATIENCE_SECONDS = 300.0


# Together at the very start; the others are started once the API server is ready.
_WAITS_FOR_NOBODY = ("etcd", "apiserver", "containerd")


class Cluster:
    """Made by `create` or `open`. All addresses are reachable only inside its network: see `run` and `entered`."""

    node_name = NODE_NAME
    # Servers that a test starts inside the network reach pods, and are reached by them, on this address.
    node_address = NODE_ADDRESS

    def __init__(self, home: Path, options: Options) -> None:
        self.name = home.name
        self.home = home
        self.options = options
        self._pki = Pki(home / "pki")
        self._sandbox = Sandbox(home)
        self._binaries = toolchain.kubernetes()
        self._components = Components(home, self._binaries, self._pki, options, self._sandbox.cgroup.pods)

    @classmethod
    def create(cls, options: Options | None = None, *, name: str | None = None) -> Self:
        """Start a cluster. Without a name it belongs to this process: once that has ended, the next one removes it."""
        options = options or Options()
        if options.node:
            host.prepare_node()
        else:
            host.prepare_control_plane()
        toolchain.kubernetes()
        cluster = cls(registry.register(name, options), options)
        try:
            cluster._boot()
        except BaseException:
            cluster.down()
            raise
        return cluster

    @classmethod
    def open(cls, name: str) -> Self:
        """The running cluster of that name."""
        return cls(*registry.find(name))

    def down(self) -> None:
        """End and remove all of it."""
        registry.remove(self._sandbox)

    @property
    def kubeconfig(self) -> Path:
        """For a cluster administrator."""
        return self._pki.kubeconfig("admin")

    def kubectl(
        self, *arguments: str | Path, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an administrator."""
        return self.run([self._binaries / "kubectl", *arguments], stdin=stdin, check=check)

    def helm(
        self, *arguments: str | Path, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run helm as an administrator."""
        return self.run([toolchain.helm(), *arguments], stdin=stdin, check=check)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        stdin: str | None = None,
        check: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the host inside the network, with KUBECONFIG set; output is captured."""
        argv = self.command(command)
        result = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, env={**self.environment, **(env or {})}
        )
        if check and result.returncode != 0:
            raise CommandError(f"{argv} ended with status {result.returncode}:\n{result.stdout}{result.stderr}")
        return result

    def command(self, command: Sequence[str | Path]) -> list[str]:
        """The command line that runs a command inside the network; start it with `environment`."""
        return [*self._sandbox.enter(), *(str(part) for part in command)]

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, made fit for a command inside the network."""
        path = f"{self._binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": path, "NO_PROXY": "*", "no_proxy": "*"}

    def entered(self) -> AbstractContextManager[None]:
        """Move this thread, and what it starts, into the network for the time of a `with` block."""
        return namespace.entered(self._sandbox.network)

    def load_image(self, image: Image) -> str:
        """Give an image to the node, if it has not got it yet, and return its name."""
        listed = self._ctr("images", "ls", "-q", f"name=={image.name}")
        if image.name not in listed.split():
            with image.archive.open("rb") as archive:
                self._ctr("images", "import", "-", stdin=archive.fileno())
        return image.name

    def log(self, component: str) -> str:
        """All that a component has logged."""
        return (self.home / "log" / f"{component}.log").read_text(errors="replace")

    def is_running(self, component: str) -> bool:
        process = self._sandbox.process(component)
        return process is not None and process.is_alive()

    def stop(self, component: str, *, how: signal.Signals = signal.SIGTERM) -> None:
        """End one component and wait until it is gone; pods go on running without it. See `Options.components`."""
        self._sandbox.signal(component, how)
        self._wait(f"{component} to end", lambda: not self.is_running(component))
        self._sandbox.collect()

    def start(self, component: str) -> None:
        """Start a component that was stopped, and wait until it serves."""
        if not self.is_running(component):
            self._launch(component)
        self._await_ready(component)

    @contextmanager
    def without(self, component: str, *, how: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """A `with` block during which a component is down."""
        self.stop(component, how=how)
        try:
            yield
        finally:
            self.start(component)

    @contextmanager
    def hanging(self, component: str) -> Iterator[None]:
        """A `with` block during which a component stands still: what it is asked is answered afterwards, or never."""
        self._sandbox.signal(component, signal.SIGSTOP)
        try:
            yield
        finally:
            self._sandbox.signal(component, signal.SIGCONT)

    def _boot(self) -> None:
        self._sandbox.create()
        self._pki.create()
        self._components.write_configuration()
        early = [component for component in self.options.components if component in _WAITS_FOR_NOBODY]
        for component in early:
            self._launch(component)
        # The controllers give up for good if roles are not there yet, so they come after a ready API server.
        self._await_ready("apiserver")
        for component in self.options.components:
            if component == "kubelet":
                self._await_ready("containerd")
                self.load_image(images.pause(self._binaries))
            if component not in early:
                self._launch(component)
        for component in self.options.components:
            self._await_ready(component)

    def _launch(self, component: str) -> None:
        self._sandbox.start(component, self._components.command(component))

    def _await_ready(self, component: str) -> None:
        def ready() -> bool:
            # One that has ended for want of another is not the one to show.
            for needed in self._started_up_to(component):
                if not self.is_running(needed):
                    tail = self.log(needed)[-3000:]
                    raise ClusterError(f"{needed} of cluster {self.name} has ended:\n{tail}")
            return self._is_ready(component)

        self._wait(f"{component} to be ready", ready)

    def _started_up_to(self, component: str) -> Sequence[str]:
        order = self.options.components
        return order[: order.index(component) + 1]

    def _is_ready(self, component: str) -> bool:
        match component:
            case "apiserver":
                return self._answers(API_SERVER, 443, "/readyz")
            case "controller-manager":
                # A namespace without its service account refuses every pod.
                account = "/api/v1/namespaces/default/serviceaccounts/default"
                return self._answers("127.0.0.1", 10257, "/healthz") and self._answers(API_SERVER, 443, account)
            case "scheduler":
                return self._answers("127.0.0.1", 10259, "/healthz")
            case "containerd":
                # Its socket answers before the plugin that the kubelet speaks to is up.
                return "successfully booted" in self.log(component).rpartition(START_OF_LOG)[2]
            case "kubelet":
                condition = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
                return self.kubectl("get", "node", NODE_NAME, "-o", condition, check=False).stdout == "True"
            case _:
                return True

    def _answers(self, address: str, port: int, path: str) -> bool:
        context = ssl.create_default_context(cafile=str(self._pki.authority))
        context.load_cert_chain(self._pki.certificate("admin"), self._pki.key("admin"))
        # The controllers serve their health with certificates that they made up themselves.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

        def get() -> int:
            connection = http.client.HTTPSConnection(address, port, context=context, timeout=10)
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            finally:
                connection.close()

        try:
            return namespace.call_inside(self._sandbox.network, get) == 200
        except OSError:
            return False

    def _ctr(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> str:
        command = [*self._sandbox.enter("--mount"), "ctr", "--namespace", "k8s.io", *arguments]
        result = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise ClusterError(f"{' '.join(command)}: {result.stderr}")
        return result.stdout

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise ClusterError(f"cluster {self.name}: waited {PATIENCE_SECONDS:.0f} s for {what}")
            time.sleep(0.1)
