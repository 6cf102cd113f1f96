"""The keys and certificates of one cluster."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.command import run

API_SERVER = "10.96.0.1"
NODE_ADDRESS = "10.99.0.1"
NODE_NAME = "node1"

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    name: str
    subject: str
    alternative_names: str


_CERTIFICATES = (
    Certificate(
        "apiserver",
        "/CN=kube-apiserver",
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,"
        f"IP:127.0.0.1,IP:{API_SERVER},IP:{NODE_ADDRESS}",
    ),
    Certificate("admin", "/O=system:masters/CN=admin", "DNS:admin"),
    Certificate("controller-manager", "/CN=system:kube-controller-manager", "DNS:controller-manager"),
    Certificate("scheduler", "/CN=system:kube-scheduler", "DNS:scheduler"),
    Certificate("kubelet", f"/O=system:nodes/CN=system:node:{NODE_NAME}", f"DNS:{NODE_NAME},IP:{NODE_ADDRESS}"),
)
_USERS = ("admin", "controller-manager", "scheduler", "kubelet")


class Pki:
    """Files in one folder, made by `create`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = self.certificate("ca")
        self.service_account_key = self.key("service-account")
        self.service_account_public_key = folder / "service-account.pub"

    def certificate(self, name: str) -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"{user}.kubeconfig"

    def create(self) -> None:
        self.folder.mkdir(mode=0o700)
        self._create_authority()
        self._create_service_account_key()
        for certificate in _CERTIFICATES:
            self._create(certificate)
        for user in _USERS:
            self._write_kubeconfig(user)

    def _create_authority(self) -> None:
        files = ("-keyout", self.key("ca"), "-out", self.authority)
        run(["openssl", "req", "-x509", *_NEW_KEY, "-days", "3650", *files, "-subj", "/CN=timewright-test-ca"])

    def _create_service_account_key(self) -> None:
        curve = ("-name", "prime256v1", "-genkey", "-noout")
        run(["openssl", "ecparam", *curve, "-out", self.service_account_key])
        run(["openssl", "ec", "-in", self.service_account_key, "-pubout", "-out", self.service_account_public_key])

    def _create(self, certificate: Certificate) -> None:
        request = self.folder / f"{certificate.name}.csr"
        extensions = self.folder / f"{certificate.name}.ext"
        extensions.write_text(f"subjectAltName={certificate.alternative_names}\n")
        key = self.key(certificate.name)
        run(["openssl", "req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", certificate.subject])
        signer = ("-CA", self.authority, "-CAkey", self.key("ca"), "-CAcreateserial")
        result = ("-out", self.certificate(certificate.name), "-extfile", extensions)
        run(["openssl", "x509", "-req", "-days", "3650", "-in", request, *signer, *result])

    def _write_kubeconfig(self, user: str) -> None:
        """Self-contained, so that it can be copied; JSON, which is YAML too."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "timewright-test",
            "clusters": [
                {
                    "name": "timewright-test",
                    "cluster": {
                        "server": f"https://{API_SERVER}:443",
                        "certificate-authority-data": _encoded(self.authority),
                    },
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate-data": _encoded(self.certificate(user)),
                        "client-key-data": _encoded(self.key(user)),
                    },
                }
            ],
            "contexts": [{"name": "timewright-test", "context": {"cluster": "timewright-test", "user": user}}],
        }
        self.kubeconfig(user).touch(mode=0o600)
        self.kubeconfig(user).write_text(json.dumps(config, indent=2))


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
