"""promtool, which runs the chart's alerts on series: the one of this machine, or else that of Debian's package.

Of the package no more is used than this program; to install it would start a Prometheus. As a program this prints where
promtool is.
"""

import os
import shutil
import tempfile
from pathlib import Path

from tests.cluster import cache
from tests.cluster.command import CommandError, run
from tests.cluster.progress import Progress

_PACKAGE = "prometheus"


def promtool() -> Path:
    """Return its path, having unpacked it if need be."""
    found = shutil.which(os.environ.get("PROMTOOL") or "promtool")
    if found is not None:
        return Path(found)
    try:
        offered = _offered()
    except CommandError:
        run(["apt-get", "update"])  # what apt knows of its sources may be nothing at all on a new machine
        offered = _offered()
    return cache.entry("promtool", cache.key(offered), _unpack) / "promtool"


def _offered() -> str:
    return run(["apt-cache", "show", "--no-all-versions", _PACKAGE])


def _unpack(folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        progress.at("downloading")
        # Downloads are made by a user who may not write to a folder of root's, which apt warns of and does itself then.
        run(["apt-get", "-o", "APT::Sandbox::User=root", "download", _PACKAGE], cwd=Path(scratch))
        (package,) = Path(scratch).glob("*.deb")
        run(["dpkg-deb", "-x", package, Path(scratch) / "tree"])
        (Path(scratch) / "tree" / "usr" / "bin" / "promtool").rename(folder / "promtool")


if __name__ == "__main__":
    print(promtool())
