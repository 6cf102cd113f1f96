"""What a person is told when SQLite cannot go on."""

from __future__ import annotations

import errno
import sqlite3

from timewright.storage.protocol import StoreError

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_ELSEWHERE = "or set TIMEWRIGHT_STORE to a file elsewhere"


def primary_code(error: sqlite3.Error) -> int:
    """Return the kind of an error without its details; 0 for one that did not come from the database."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def store_error(path: str, error: sqlite3.Error | OSError, waited: float) -> StoreError:
    """Return what to raise instead. `waited` is for how many seconds locks of other processes were waited for."""
    happened, remedy = _told(path, error, waited)
    return StoreError(f"the store sqlite:{path} {happened}: {error}. {remedy}")


def _told(path: str, error: sqlite3.Error | OSError, waited: float) -> tuple[str, str]:
    if isinstance(error, OSError):
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return _full(path)
        return "cannot be opened", f"Let this user write to its folder, {_ELSEWHERE}"
    code = primary_code(error)
    if code in BUSY:
        return f"was locked by another process for {waited:g} s", f"End what keeps it open; `fuser {path}` shows it"
    if code == sqlite3.SQLITE_FULL:
        return _full(path)
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return (
            "is damaged",
            "Move it away: the next use makes a new one, without the history; "
            f"`sqlite3 {path} .recover` saves what can be",
        )
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return "cannot be written", f"Let this user write to the file and its folder, {_ELSEWHERE}"
    if code == sqlite3.SQLITE_IOERR:
        return "cannot be read or written", f"See to its disk, which may be full, {_ELSEWHERE}"
    return "failed", f"See to the file, {_ELSEWHERE}"


def _full(path: str) -> tuple[str, str]:
    return "was not written, its disk being full", f"Free space on the disk of {path}, {_ELSEWHERE}"
