"""The chart's objects on a control plane without a node, but for what would be Pods."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import Cluster
from tests.objects import eventually

SYSTEM = "timewright"
MANIFESTS = Path(__file__).parents[2] / "deploy" / "manifests"


def install(cluster: Cluster, folder: Path) -> Path:
    """Install everything of the chart but its Deployment; return the kubeconfig of the operator's service account."""
    installed: list[dict[str, Any]] = []
    for file in ("install.yaml", "scheduled-at-policy.yaml"):
        installed += [each for each in yaml.safe_load_all((MANIFESTS / file).read_text()) if each]
    objects = [each for each in installed if each["kind"] not in ("Deployment", "Pod")]
    bundle = {"apiVersion": "v1", "kind": "List", "items": objects}
    eventually(lambda: cluster.kubectl("apply", "-f", "-", stdin=json.dumps(bundle), check=False).returncode == 0)
    for name in ("scheduledtasks", "taskruns", "taskdaemons"):
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}.timewright.dev", "--timeout=60s")
    token = cluster.kubectl("create", "token", "timewright", "-n", SYSTEM, "--duration=8h").stdout.strip()
    configuration = yaml.safe_load(cluster.kubeconfig.read_text())
    for user in configuration["users"]:
        user["user"] = {"token": token}
    path = folder / "operator.kubeconfig"
    path.write_text(yaml.safe_dump(configuration))
    return path
