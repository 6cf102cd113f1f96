"""The command line and configuration of every component. All of them run inside the cluster's namespaces."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster import host
from tests.cluster.options import Options
from tests.cluster.pki import API_SERVER, NODE_ADDRESS, NODE_NAME, Pki

PAUSE_IMAGE = "localhost/timewright-pause:1"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
ETCD = "http://127.0.0.1:2379"


class Components:
    """Knows how each component is started in a cluster that lives in `home`."""

    def __init__(self, home: Path, binaries: Path, pki: Pki, options: Options, pods_cgroup: str) -> None:
        self._home = home
        self._binaries = binaries
        self._pki = pki
        self._options = options
        self._pods_cgroup = pods_cgroup
        self._commands: dict[str, Callable[[], Sequence[str | Path]]] = {
            "etcd": self._etcd,
            "apiserver": self._apiserver,
            "controller-manager": self._controller_manager,
            "scheduler": self._scheduler,
            "containerd": self._containerd,
            "kubelet": self._kubelet,
        }

    def command(self, component: str) -> list[str]:
        return [str(part) for part in self._commands[component]()]

    def write_configuration(self) -> None:
        """Once, before anything is started."""
        if self._options.node:
            self._write_network()
            self._write_containerd()
            self._write_kubelet()

    def _etcd(self) -> Sequence[str | Path]:
        peers = ("--listen-peer-urls", "http://127.0.0.1:2380")
        clients = ("--listen-client-urls", ETCD, "--advertise-client-urls", ETCD)
        # A test cluster that loses power is started anew: not waiting for the disk makes every write faster.
        return (self._binaries / "etcd", "--data-dir", self._home / "etcd", "--unsafe-no-fsync", *clients, *peers)

    def _apiserver(self) -> Sequence[str | Path]:
        pki = self._pki
        return (
            self._binaries / "kube-apiserver",
            f"--etcd-servers={ETCD}",
            "--bind-address=0.0.0.0",
            "--secure-port=443",
            f"--advertise-address={API_SERVER}",
            # It would publish an endpoint for a ClusterIP that it listens on itself.
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--kubelet-preferred-address-types=InternalIP",
            f"--client-ca-file={pki.authority}",
            f"--tls-cert-file={pki.certificate('apiserver')}",
            f"--tls-private-key-file={pki.key('apiserver')}",
            f"--kubelet-client-certificate={pki.certificate('admin')}",
            f"--kubelet-client-key={pki.key('admin')}",
            f"--service-account-key-file={pki.service_account_public_key}",
            f"--service-account-signing-key-file={pki.service_account_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged",
            *self._feature_gates(),
            *self._options.apiserver_flags,
        )

    def _controller_manager(self) -> Sequence[str | Path]:
        return (
            self._binaries / "kube-controller-manager",
            *self._client("controller-manager"),
            f"--root-ca-file={self._pki.authority}",
            f"--service-account-private-key-file={self._pki.service_account_key}",
            "--use-service-account-credentials",
            *self._feature_gates(),
            *self._options.controller_manager_flags,
        )

    def _scheduler(self) -> Sequence[str | Path]:
        return (self._binaries / "kube-scheduler", *self._client("scheduler"), *self._feature_gates())

    def _containerd(self) -> Sequence[str | Path]:
        return ("containerd", "--config", self._home / "containerd.toml")

    def _kubelet(self) -> Sequence[str | Path]:
        return (
            self._binaries / "kubelet",
            f"--config={self._home / 'kubelet.json'}",
            f"--kubeconfig={self._pki.kubeconfig('kubelet')}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_ADDRESS}",
        )

    def _client(self, user: str) -> Sequence[str]:
        kubeconfig = self._pki.kubeconfig(user)
        return (
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        )

    def _feature_gates(self) -> Sequence[str]:
        gates = ",".join(f"{name}={str(enabled).lower()}" for name, enabled in self._options.feature_gates.items())
        return (f"--feature-gates={gates}",) if gates else ()

    def _write_network(self) -> None:
        ipam = {"type": "host-local", "subnet": "10.98.0.0/16", "routes": [{"dst": "0.0.0.0/0"}]}
        bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "ipam": ipam}
        network = {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}
        folder = self._home / "cni"
        folder.mkdir()
        (folder / "10-pods.conflist").write_text(json.dumps(network))

    def _write_containerd(self) -> None:
        plugins = next(folder for folder in host.CNI_PLUGINS if (folder / "bridge").exists())
        (self._home / "containerd.toml").write_text(
            f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{self._home}/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{self._home}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
        )

    def _write_kubelet(self) -> None:
        # The cluster has no DNS. Nothing answers there, so that a look-up fails at once instead of waiting for a server
        # beyond reach.
        resolver = self._home / "resolv.conf"
        resolver.write_text(f"nameserver {NODE_ADDRESS}\noptions timeout:1 attempts:1\n")
        configuration = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self._pki.authority)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(self._pki.certificate("kubelet")),
            "tlsPrivateKeyFile": str(self._pki.key("kubelet")),
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "clusterDNS": [NODE_ADDRESS],
            "clusterDomain": "cluster.local",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self._pods_cgroup,
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            # The disk and the process table are the host's, and it has other guests: never evict because of them.
            "evictionHard": {},
            "imageGCHighThresholdPercent": 100,
            "localStorageCapacityIsolation": False,
            "makeIPTablesUtilChains": False,
            "maxPods": 250,
            "oomScoreAdj": 0,
            "resolvConf": str(resolver),
            "serializeImagePulls": False,
            "featureGates": dict(self._options.feature_gates),
        }
        (self._home / "kubelet.json").write_text(json.dumps(configuration, indent=2))
