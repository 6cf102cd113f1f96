"""Builds container images without a container engine, by buildah in a storage of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cache, pip_settings
from tests.cluster.command import CommandError, run
from tests.cluster.progress import Progress

# Nothing is pulled, so there is nobody whose signature could be asked for.
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'
_TRUST_STORE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Image:
    """A name, and the file that a node can import it from."""

    name: str
    archive: Path


def exists(name: str) -> bool:
    """Whether the storage holds the image, so that another may be built from it."""
    try:
        _buildah("inspect", "--type=image", "--format={{.FromImageID}}", name)
    except CommandError:
        return False
    return True


def build(
    name: str,
    context: Path,
    progress: Progress,
    *,
    dockerfile: Path | None = None,
    arguments: Mapping[str, str] | None = None,
) -> None:
    """Build an image into the storage. Its base images must be there already."""
    given = [f"--build-arg={key}={value}" for key, value in (arguments or {}).items()]
    file = ["--file", str(dockerfile)] if dockerfile else []
    # Package installs in a build use the host's trust store and pip settings, without leaving them in the image.
    with pip_settings.as_files() as files:
        mounts = [f"--volume={source}:{target}:ro" for source, target in files.items()]
        if _TRUST_STORE.exists():
            mounts.append(f"--volume={_TRUST_STORE}:{_TRUST_STORE}:ro")
        _buildah(
            "bud",
            "--isolation=chroot",
            "--pull-never",
            "--layers",
            *mounts,
            *given,
            *file,
            f"--tag={name}",
            str(context),
            progress=progress,
        )


def export(name: str, archive: Path, progress: Progress) -> None:
    """Write an image of the storage to a file."""
    progress.at("exporting")
    _buildah("push", name, f"docker-archive:{archive}:{name}")


def _buildah(*arguments: str, progress: Progress | None = None) -> str:
    storage = cache.root() / "buildah"
    storage.mkdir(parents=True, exist_ok=True)
    policy = storage / "policy.json"
    policy.write_text(_POLICY)
    verb, *rest = arguments
    command: Sequence[str | Path] = [
        "buildah",
        f"--root={storage / 'storage'}",
        f"--runroot={storage / 'run'}",
        "--storage-driver=overlay" if _can_overlay(storage) else "--storage-driver=vfs",
        verb,
        *([f"--signature-policy={policy}"] if verb in ("bud", "push") else []),
        *rest,
    ]
    return run(command, on_line=(lambda line: progress.at(line.strip()[:100] or "building")) if progress else None)


def _can_overlay(storage: Path) -> bool:
    """An overlay on top of an overlay, as inside a container, does not work; then every layer has to be a copy."""
    return run(["stat", "--file-system", "--format=%T", storage]).strip() != "overlayfs"
