"""Where this process is and what it was started as, in the form that a crontab needs."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path


def working_directory(directory: str | None) -> str:
    """Return the folder as an absolute path; by default the present one.

    Symbolic links stay as they are: one that always leads to the latest release goes on doing so. Raises
    NotADirectoryError if there is no such folder.
    """
    present = os.environ.get("PWD", "")
    if not (present and Path(present).is_absolute() and Path(present).exists() and Path(present).samefile(Path.cwd())):
        present = str(Path.cwd())
    path = os.path.normpath(Path(present) / (directory or ""))
    if not Path(path).is_dir():
        raise NotADirectoryError(path)
    return path


def program(started_as: str | None = None) -> tuple[str, ...]:
    """Return the words that start timewright as this process was started (`sys.argv[0]`)."""
    name = started_as if started_as is not None else sys.argv[0]
    if "timewright" in Path(name).name:
        found = shutil.which(name)
        if found is not None:
            return (str(Path(found).absolute()),)
    return (sys.executable, "-m", "timewright.cli.main")


def usable_path(path: str, program: str) -> str:
    """Return PATH with the program's folder first, without what is relative, missing or repeated."""
    folders = [str(Path(program).parent), *path.split(os.pathsep)]
    usable = [folder for folder in folders if Path(folder).is_absolute() and Path(folder).is_dir()]
    return os.pathsep.join(dict.fromkeys(usable))


def default_log(block: str) -> str:
    """Return the file for the output of a block, in the folder for state of the present user."""
    state = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    name = re.sub(r"[^\w.-]+", "-", block).strip("-.") or "crontab"
    return str(folder / "timewright" / f"{name}.log")
