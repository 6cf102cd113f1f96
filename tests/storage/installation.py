"""Where PostgreSQL is on this machine. As a program it makes sure that it is there, which takes root."""

import shutil
from pathlib import Path

from tests.cluster import host

_DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, of the latest version that is installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    installed = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return installed[-1].parent if installed else None


if __name__ == "__main__" and programs() is None:
    host.install({"postgresql"})
