"""The images that tests run: the product's own from its Dockerfile, and what that is built on."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import cache, image_store
from tests.cluster.command import CommandError, run
from tests.cluster.components import PAUSE_IMAGE
from tests.cluster.image_store import Image
from tests.cluster.progress import Progress

PROJECT = Path(__file__).parents[2]
PRODUCT_INPUTS = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", "requirements", "operator")

_SUITE = "bookworm"
_BASE_PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates", "tzdata")
_UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")


def product() -> Image:
    """The operator's and runner's image, built from the project's Dockerfile on `base`."""
    key = cache.key(base(), *(PROJECT / name for name in PRODUCT_INPUTS if (PROJECT / name).exists()))
    return _archived("timewright", key, PROJECT, {"PYTHON_IMAGE": base()})


def custom(context: Path, *, arguments: Mapping[str, str] | None = None) -> Image:
    """An image from a folder with a Dockerfile, which may be FROM the name of any image of this module."""
    arguments = dict(arguments or {})
    return _archived("custom", cache.key(context, repr(sorted(arguments.items()))), context, arguments)


def base() -> str:
    """The name of a Debian image with Python, for want of a registry to pull one from.

    It is made once for a recipe and then kept: the key is the suite and the list of packages, not what the archive held
    that day, since a test does not depend on the patch level of its base.
    """
    recipe = cache.key(_SUITE, *_BASE_PACKAGES, *_UNUSED)
    name = f"localhost/timewright-base:{recipe}"
    if not image_store.exists(name):
        tree = cache.entry("base", recipe, _bootstrap)
        with (
            cache.locked(f"base-image-{recipe}", waiting_for="base image") as board,
            Progress("base image", board) as at,
        ):
            if not image_store.exists(name):
                image_store.build(name, tree, at)
    return name


def tiny() -> Image:
    """A shell and little else: somebody's image that knows nothing of Timewright."""

    def make(folder: Path, progress: Progress) -> None:
        # Unpacked and not installed, since on the host it would displace a busybox that is there already.
        _download("busybox-static", folder)
        (package,) = folder.glob("busybox-static_*.deb")
        run(["dpkg-deb", "--extract", package, folder / "package"])
        (busybox,) = (folder / "package").rglob("bin/busybox")
        shutil.copy(busybox, folder / "busybox")
        (folder / "Dockerfile").write_text(
            "FROM scratch\n"
            "COPY busybox /bin/busybox\n"
            'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
            "RUN mkdir -p /tmp /etc && chmod 1777 /tmp\n"
            'ENV PATH="/bin"\n'
        )
        _export("localhost/tiny:1", folder, folder / "image.tar", progress)

    return Image("localhost/tiny:1", cache.entry("tiny", cache.key("tiny 1"), make) / "image.tar")


def pause(binaries: Path) -> Image:
    """The image of every pod's sandbox."""

    def make(folder: Path, progress: Progress) -> None:
        shutil.copy(binaries / "pause", folder)
        (folder / "Dockerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
        _export(PAUSE_IMAGE, folder, folder / "image.tar", progress)

    return Image(PAUSE_IMAGE, cache.entry("pause", cache.key(binaries / "pause"), make) / "image.tar")


def _archived(kind: str, key: str, context: Path, arguments: Mapping[str, str]) -> Image:
    name = f"localhost/{kind}:{key}"

    def make(folder: Path, progress: Progress) -> None:
        _export(name, context, folder / "image.tar", progress, arguments)

    return Image(name, cache.entry(f"image-{kind}", key, make) / "image.tar")


def _export(
    name: str, context: Path, archive: Path, progress: Progress, arguments: Mapping[str, str] | None = None
) -> None:
    image_store.build(name, context, progress, arguments=arguments)
    image_store.export(name, archive, progress)


def _bootstrap(folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix=".bootstrap-", dir=folder) as scratch:
        tree = Path(scratch)
        run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(_BASE_PACKAGES)}", _SUITE, tree, *_mirror()],
            on_line=lambda line: progress.at(line.removeprefix("I: ")),
        )
        for unused in _UNUSED:
            shutil.rmtree(tree / unused, ignore_errors=True)
        progress.at("packing")
        run(["tar", "--create", "--numeric-owner", "--file", folder / "rootfs.tar", "--directory", tree, "."])
    (folder / "Dockerfile").write_text('FROM scratch\nADD rootfs.tar /\nENV LANG="C.UTF-8"\nCMD ["python3"]\n')


def _download(package: str, folder: Path) -> None:
    command = ["apt-get", "download", package]
    try:
        run(command, cwd=folder)
    except CommandError:
        # What apt knows of its sources may be outdated, or nothing at all on a new machine.
        run(["apt-get", "update"])
        run(command, cwd=folder)


def _mirror() -> list[str]:
    """The mirror that this host's own apt uses for the suite, if it uses one."""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
    for line in run(listing).splitlines():
        address, _, release = line.partition(" ")
        if release == _SUITE and address.startswith(("http:", "https:")) and "debian" in address:
            return [address]
    return []
