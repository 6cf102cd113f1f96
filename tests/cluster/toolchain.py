"""The programs of the cluster, compiled once: Kubernetes and etcd as one binary, the pause process, and helm."""

import re
from pathlib import Path

from tests.cluster import cache
from tests.cluster.command import run
from tests.cluster.progress import Progress

SOURCE = Path(__file__).parent / "binary"
HELM = "v4.3.1"
# Outside a version control checkout the flag changes nothing; inside one it keeps the result independent of the commit.
GO_FLAGS = ("-buildvcs=false",)
STATIC = {"CGO_ENABLED": "0"}
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")


def kubernetes() -> Path:
    """A folder with an executable for every name in COMPONENTS, and `pause`."""
    version = _required_version("k8s.io/kubernetes")
    _, minor, _ = version.removeprefix("v").split(".")
    stamp = "k8s.io/component-base/version"
    linker = f"-s -w -X {stamp}.gitVersion={version} -X {stamp}.gitMajor=1 -X {stamp}.gitMinor={minor}"

    def make(folder: Path, progress: Progress) -> None:
        packages = len(run(["go", "list", "-deps", "./..."], cwd=SOURCE, env=STATIC).splitlines())
        compiled = 0

        def count(line: str) -> None:
            nonlocal compiled
            compiled += not line.startswith("go: ")
            progress.at(f"{compiled} of at most {packages} Go packages compiled (only the first time)")

        progress.at("fetching and compiling; only the first time")
        run(
            ["go", "build", "-v", *GO_FLAGS, "-ldflags", linker, "-o", f"{folder}/", "./..."],
            cwd=SOURCE,
            env=STATIC,
            on_line=count,
        )
        for name in COMPONENTS:
            (folder / name).symlink_to("testcluster")

    return cache.entry("kubernetes", cache.key(SOURCE, _go_version(), linker), make)


def helm() -> Path:
    """The helm executable."""

    def make(folder: Path, progress: Progress) -> None:
        compiled = 0

        def count(line: str) -> None:
            nonlocal compiled
            compiled += not line.startswith("go: ")
            progress.at(f"{compiled} Go packages compiled (only the first time)")

        run(
            ["go", "install", "-v", *GO_FLAGS, "-ldflags", "-s -w", f"helm.sh/helm/v4/cmd/helm@{HELM}"],
            cwd=folder,
            env={**STATIC, "GOBIN": str(folder)},
            on_line=count,
        )

    return cache.entry("helm", cache.key(HELM, _go_version()), make) / "helm"


def _go_version() -> str:
    return run(["go", "version"], cwd=SOURCE)


def _required_version(module: str) -> str:
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)$", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]
