"""What is slow to make is kept, keyed by everything it is made from; see `entry`."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.progress import Progress, say

IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache"}
KEPT_PER_KIND = 6


def root() -> Path:
    """Where everything is kept; removing it costs nothing but time."""
    given = os.environ.get("TIMEWRIGHT_CACHE")
    return Path(given).resolve() if given else Path.home() / ".cache" / "timewright"


def key(*inputs: str | Path) -> str:
    """A name for what is made from these inputs: a Path stands for its content (a folder for all of its files)."""
    digest = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            digest.update(f"text {len(item)} {item}\n".encode())
            continue
        for file in _files(item):
            content = file.read_bytes()
            mode = "x" if os.access(file, os.X_OK) else "-"
            digest.update(f"file {file.relative_to(item.parent)} {mode} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def entry(kind: str, name: str, make: Callable[[Path, Progress], None]) -> Path:
    """The folder `kind/name`, made by `make` if no process has made it yet.

    It is made beside its final place and then renamed, so a folder that exists is whole. Of processes that want the
    same entry one makes it while the others wait and show its progress.
    """
    path = root() / kind / name
    if not path.exists():
        with locked(f"{kind}-{name}", waiting_for=kind) as board:
            if not path.exists():
                scratch = path.parent / f".making-{name}"
                # What is there was left by a process that was killed: nobody else makes this entry now.
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir(parents=True)
                try:
                    with Progress(kind, board) as progress:
                        make(scratch, progress)
                    scratch.rename(path)
                finally:
                    shutil.rmtree(scratch, ignore_errors=True)
                _forget_old(path.parent)
    os.utime(path)
    return path


@contextmanager
def locked(name: str, waiting_for: str) -> Iterator[Path]:
    """Hold a lock that no two processes hold at once. The lock file doubles as the holder's progress board."""
    lock = root() / "locks" / f"{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        _acquire(file.fileno(), lock, waiting_for)
        yield lock


def _acquire(descriptor: int, lock: Path, waiting_for: str) -> None:
    last_said = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() - last_said >= Progress.EVERY_SECONDS:
                last_said = time.monotonic()
                say(f"{waiting_for}: another process is at it: {lock.read_text().strip()}")
            time.sleep(0.5)
        else:
            return


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not IGNORED.intersection(file.parts) and file.suffix != ".pyc"
    )


def _forget_old(kind: Path) -> None:
    """Every edit of the operator makes a new image; only the entries used last are worth their space."""
    made = [(path.stat().st_mtime, path) for path in kind.iterdir() if not path.name.startswith(".")]
    day_ago = time.time() - 24 * 3600
    for used, path in sorted(made, reverse=True)[KEPT_PER_KIND:]:
        if used < day_ago:
            shutil.rmtree(path, ignore_errors=True)
