"""Renders the chart with helm; HELM names the binary, else it is looked for in PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.chart.rendering import CHART, Helm, HelmError, Manifest, Render


@pytest.fixture(scope="session")
def helm_binary() -> str:
    """Return the path of helm. A HELM that does not exist is an error; without HELM and helm the tests are skipped."""
    named = os.environ.get("HELM")
    found = shutil.which(named or "helm")
    if found is None:
        if named:
            pytest.fail(f"HELM={named} does not exist")
        pytest.skip("needs helm")
    return found


@pytest.fixture(scope="session")
def helm(helm_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Return a function that runs helm, away from the user's own configuration."""
    home = str(tmp_path_factory.mktemp("helm"))
    environment = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": "/nonexistent"}

    def run(*arguments: str) -> str:
        done = subprocess.run([helm_binary, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HelmError(done.stdout + done.stderr)
        return done.stdout

    return run


@pytest.fixture
def render(helm: Helm, tmp_path: Path) -> Render:
    """Return a function that renders the chart with the values given and returns its manifests."""

    def run(values: Manifest | None = None, *arguments: str, release: str = "timewright") -> list[Manifest]:
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values or {}))
        text = helm("template", release, str(CHART), "--namespace", "ops", "--values", str(file), *arguments)
        return [each for each in yaml.safe_load_all(text) if each]

    return run
