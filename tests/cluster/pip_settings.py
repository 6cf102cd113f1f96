"""The host's settings of pip, in a form that a container build can use."""

import ast
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.command import run


@contextmanager
def as_files() -> Iterator[dict[Path, Path]]:
    """Files of the host by where they have to be mounted: one configuration, and whatever it names by path."""
    settings = _settings()
    with tempfile.TemporaryDirectory(prefix="timewright-pip-") as folder:
        configuration = Path(folder) / "pip.conf"
        lines = (f"{key} = {value}" for key, value in settings.items())
        configuration.write_text("\n".join(["[global]", *lines, ""]))
        configuration.chmod(0o644)
        named = (Path(word) for value in settings.values() for word in value.split() if word.startswith("/"))
        yield {configuration: Path("/etc/pip.conf")} | {path: path for path in named if path.exists()}


def _settings() -> dict[str, str]:
    """What pip itself takes from files and PIP_* variables; later lines of its list win, variables come last."""
    settings: dict[str, dict[str, str]] = {"files": {}, "variables": {}}
    for line in run([sys.executable, "-m", "pip", "config", "list"]).splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in ("global", "install", ":env:"):
            origin = "variables" if section == ":env:" else "files"
            settings[origin][key] = str(ast.literal_eval(value))
    return settings["files"] | settings["variables"]
