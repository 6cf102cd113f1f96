"""Which clusters exist on this host, who owns them, and the removal of those whose owner is gone."""

import fcntl
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError
from tests.cluster.options import Options
from tests.cluster.processes import ProcessId
from tests.cluster.progress import say
from tests.cluster.sandbox import Sandbox

# Not below TIMEWRIGHT_CACHE: names of control groups are the whole host's, and a cluster is no cache.
HOMES = Path("/var/lib/timewright-test")
RECORD = "cluster.json"


class UnknownClusterError(ClusterError):
    """There is no cluster of that name."""


def register(name: str | None, options: Options) -> Path:
    """Reserve a name and make its folder. If none is given it is a random one, and the cluster this process's own."""
    _reap()
    with _locked():
        owner = None if name else ProcessId.own()
        name = name or f"t{secrets.token_hex(4)}"
        if not re.fullmatch(r"[a-z0-9-]{1,40}", name):
            raise ValueError(f"{name!r} is no name for a cluster: lower-case letters, digits and dashes")
        home = HOMES / name
        home.mkdir(mode=0o700)
        (home / "log").mkdir()
        record = {"options": options.as_json(), "owner": owner.as_json() if owner else None}
        (home / RECORD).write_text(json.dumps(record))
        return home


def remove(sandbox: Sandbox) -> None:
    """End everything that runs in a cluster, then forget it."""
    sandbox.destroy()
    shutil.rmtree(sandbox.home)


def find(name: str) -> tuple[Path, Options]:
    home = HOMES / name
    if not (home / RECORD).exists():
        raise UnknownClusterError(f"there is no cluster {name!r}; there are: {', '.join(names()) or 'none'}")
    return home, Options.from_json(_record(home)["options"])


def names() -> list[str]:
    return sorted(home.parent.name for home in HOMES.glob(f"*/{RECORD}"))


def _reap() -> None:
    """A test run that was killed leaves its cluster behind; the next one takes it away."""
    with _locked():
        for name in names():
            home = HOMES / name
            if _is_abandoned(home):
                say(f"removing cluster {name}, whose owner is gone")
                remove(Sandbox(home))


def _is_abandoned(home: Path) -> bool:
    owner = _record(home)["owner"]
    return owner is not None and not ProcessId.from_json(owner).is_alive()


def _record(home: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((home / RECORD).read_text())
    return record


@contextmanager
def _locked() -> Iterator[None]:
    HOMES.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (HOMES / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
