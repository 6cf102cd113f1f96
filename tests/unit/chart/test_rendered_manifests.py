"""What is derived from the chart and the CRDs is up to date and can be applied with kubectl."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import yaml

from tests.unit.chart.rendering import ROOT, Manifest
from timewright.desired.daemon_object import DaemonIdentity
from timewright.desired.daemon_role import build_daemon_role

LAST_APPLIED_LIMIT = 262_144
"""Bytes that all annotations of an object may take; `kubectl apply` stores the object itself in one."""


def test_nothing_is_out_of_date(helm_binary: str) -> None:
    environment = {**os.environ, "HELM": helm_binary}
    done = subprocess.run(
        [ROOT / "deploy" / "render", "--check"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["deploy/manifests/install.yaml", "deploy/manifests/scheduled-at-policy.yaml"])
def test_fits_client_side_apply(file: str) -> None:
    for manifest in yaml.safe_load_all((ROOT / file).read_text()):
        if manifest:
            assert len(json.dumps(manifest).encode()) < LAST_APPLIED_LIMIT / 2


def test_the_namespace_comes_first() -> None:
    manifests = [each for each in yaml.safe_load_all((ROOT / "deploy/manifests/install.yaml").read_text()) if each]
    assert (manifests[0]["kind"], manifests[0]["metadata"]["name"]) == ("Namespace", "timewright")
    assert {each["metadata"].get("namespace", "timewright") for each in manifests} == {"timewright"}


def test_removal_can_spare_the_crds() -> None:
    manifests = [each for each in yaml.safe_load_all((ROOT / "deploy/manifests/install.yaml").read_text()) if each]
    spared = [each for each in manifests if each["metadata"]["labels"]["app.kubernetes.io/component"] == "crd"]
    assert {each["kind"] for each in spared} == {"CustomResourceDefinition"}
    assert len(spared) == 3


def test_the_operator_holds_all_that_it_grants_to_a_daemon() -> None:
    manifests = [each for each in yaml.safe_load_all((ROOT / "deploy/manifests/install.yaml").read_text()) if each]
    (operator,) = [
        each for each in manifests if each["kind"] == "ClusterRole" and each["metadata"]["name"] == "timewright"
    ]
    granted = build_daemon_role(DaemonIdentity("shop", "default", "uid"))

    assert permissions(granted) <= permissions(operator)
    assert all("resourceNames" not in rule for rule in operator["rules"])
    assert not {"escalate", "bind", "impersonate", "*"} & {verb for _, _, verb in permissions(operator)}


def permissions(role: Manifest) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
