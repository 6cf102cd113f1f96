"""Reads and writes the crontab of the present user, by the program `crontab`."""

from __future__ import annotations

import os
import re
import subprocess

# Of Debian's cron, cronie, BSD's and macOS's; then of BusyBox's.
_HAS_NONE = re.compile(r"no crontab for |can't open .*No such file or directory", re.IGNORECASE)


class CrontabError(Exception):
    """The crontab cannot be read or written. The text says why, and the remedy. It is as it was."""


def read() -> str:
    """Return the crontab, empty if there is none. Bytes that are not UTF-8 become surrogates, as in file names.

    Raises CrontabError if the program is missing or refuses.
    """
    done = _run("-l")
    if done.returncode == 0:
        return os.fsdecode(done.stdout)
    complaint = os.fsdecode(done.stderr).strip()
    if _HAS_NONE.search(complaint):
        return ""
    raise CrontabError(f"`crontab -l` failed{_because(complaint)}; nothing was changed")


def write(text: str) -> None:
    """Make this the crontab; without any text, remove it. Raises CrontabError as `read` does."""
    done = _run("-", stdin=os.fsencode(text)) if text else _run("-r")
    if done.returncode != 0:
        raise CrontabError(f"crontab refused the new text{_because(os.fsdecode(done.stderr).strip())}")
    # Some put a header of their own before it.
    if not read().endswith(text):
        raise CrontabError("crontab took the new text, but shows another one; look at it with: crontab -l")


def _run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603
            ["crontab", *arguments],  # noqa: S607 - the one that the user's shell would find
            input=stdin,
            capture_output=True,
            env=environment,
            check=False,
        )
    except FileNotFoundError as error:
        raise CrontabError(
            "there is no program `crontab` on PATH; install cron (Debian and Ubuntu: apt install cron, "
            "Fedora: dnf install cronie), or use a systemd timer instead"
        ) from error
    except OSError as error:
        raise CrontabError(f"the program `crontab` cannot be started: {error.strerror or error}") from error


def _because(complaint: str) -> str:
    return f": {complaint}" if complaint else ""
