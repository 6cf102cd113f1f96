"""Which store a URL names, and which is the one of this machine when nobody names any."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from timewright.storage.protocol import Store, StoreError

if TYPE_CHECKING:
    from timewright.storage.postgresql.archive import Archive

VARIABLE = "TIMEWRIGHT_STORE"
EXPECTED = "sqlite:///absolute/path, sqlite:relative/path, postgresql://user@host/database or memory:"

_PLACES = {
    "KUBERNETES_SERVICE_HOST": "this Pod",
    "AWS_LAMBDA_FUNCTION_NAME": "this instance of the Lambda function",
    "FUNCTIONS_WORKER_RUNTIME": "this instance of the Azure Function",
    "K_SERVICE": "this instance of the service",
    "CLOUD_RUN_JOB": "this instance of the job",
    "ECS_CONTAINER_METADATA_URI_V4": "this container",
}
"""Variables by which a platform tells a program that its disk ends with it and that others like it have their own."""


def store_of(url: str | None, environ: Mapping[str, str]) -> Store:
    """Return the store that is named, by `url` or else by TIMEWRIGHT_STORE, or the default one; not opened yet.

    Raises StoreError for a URL that names none, and where there is no place for a default one.
    """
    named = url or environ.get(VARIABLE)
    return _default(environ) if not named else _named(named, environ)


def archive_of(url: str) -> Archive:
    """Return what takes the history of runs into the PostgreSQL database of a URL; not connected yet.

    Raises StoreError for a URL that names none, and where its driver is not installed.
    """
    if not _is_postgresql(url):
        # Not the URL itself: it may have a password in it.
        raise StoreError(f"{VARIABLE} names no PostgreSQL database: expected postgresql://user@host/database")
    try:
        from timewright.storage.postgresql.archive import Archive
    except ImportError as error:
        raise _without_driver(error) from error
    return Archive(url)


def _is_postgresql(url: str) -> bool:
    return url.startswith(("postgresql://", "postgres://"))


def _without_driver(error: ImportError) -> StoreError:
    return StoreError(
        f"a store in PostgreSQL ({VARIABLE}) needs psycopg: pip install 'timewright[postgresql]'. {error}"
    )


def default_path(environ: Mapping[str, str]) -> Path:
    """Return where the default store is: in the folder for state of the XDG base directory specification.

    Where a platform gives the program no lasting disk it is in the folder for temporary files. Raises StoreError where
    this user has no home.
    """
    if _place(environ) is not None:
        return Path(environ.get("TMPDIR") or "/tmp", "timewright", "state.db")  # noqa: S108 - of one container
    state_home = environ.get("XDG_STATE_HOME", "")
    # The specification has relative paths ignored.
    base = Path(state_home) if Path(state_home).is_absolute() else _home(environ) / ".local" / "state"
    return base / "timewright" / "state.db"


def _default(environ: Mapping[str, str]) -> Store:
    from timewright.storage.sqlite import SqliteStore

    path = default_path(environ)
    place = _place(environ)
    if place is None:
        return SqliteStore(path)
    unprotected = (
        f"the store {path} exists in {place} only, so that others do not see what is claimed here. Set {VARIABLE} to a "
        "PostgreSQL URL (postgresql://user@host/database), or to sqlite:///path on a volume of this machine that all "
        "who run these tasks share"
    )
    return SqliteStore(path if _can_be_made(path) else ":memory:", unprotected=unprotected)


def _named(url: str, environ: Mapping[str, str]) -> Store:
    scheme, colon, rest = url.partition(":")
    if _is_postgresql(url):
        try:
            from timewright.storage.postgresql import PostgresqlStore
        except ImportError as error:
            raise _without_driver(error) from error
        return PostgresqlStore(url)
    if colon and scheme == "sqlite":
        from timewright.storage.sqlite import SqliteStore

        return SqliteStore(_path(url, rest, environ))
    if url == "memory:":
        from timewright.storage.sqlite import SqliteStore

        return SqliteStore(
            ":memory:",
            unprotected=f"the store is the memory of one process. Set {VARIABLE} to a file or a database ({EXPECTED})",
        )
    # Not the URL itself: what is misspelt may have a password in it.
    shown = f"{scheme}:…" if colon else repr(url)
    raise StoreError(f"{shown} names no store ({VARIABLE}): expected {EXPECTED}")


def host_of(store: Store, environ: Mapping[str, str]) -> str | None:
    """Return the name of this machine where others share its store, for the keys of tasks that run on each.

    An instance that a platform makes and removes, such as a Pod or a Lambda function, is no machine in this sense:
    another one goes on in its place, and any of several may be called. They share all tasks.
    """
    if not store.shared or _place(environ) is not None:
        return None
    import socket

    return socket.gethostname()


def _path(url: str, rest: str, environ: Mapping[str, str]) -> Path:
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host or not path:
            raise StoreError(
                f"{url!r} names no file ({VARIABLE}): write sqlite:///absolute/path or sqlite:relative/path"
            )
        return Path(slash + path.lstrip("/"))
    if not rest:
        raise StoreError(f"{url!r} names no file ({VARIABLE}): write sqlite:///absolute/path or sqlite:relative/path")
    return _home(environ) / rest[2:] if rest.startswith("~/") else Path(rest)


def _place(environ: Mapping[str, str]) -> str | None:
    return next((place for variable, place in _PLACES.items() if environ.get(variable)), None)


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    if home:
        return Path(home)
    try:
        return Path.home()
    except RuntimeError as error:
        raise StoreError(f"this user has no home for a store: set {VARIABLE} to {EXPECTED}") from error


def _can_be_made(path: Path) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(path.parent, os.W_OK | os.X_OK)
