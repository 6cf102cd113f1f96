"""The host's settings of pip, in a form that a container build can use."""

import configparser
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_files() -> Iterator[dict[Path, Path]]:
    """Files of the host by where they have to be mounted: one configuration, and whatever it names by path."""
    settings = _settings()
    with tempfile.TemporaryDirectory(prefix="timewright-pip-") as folder:
        configuration = Path(folder) / "pip.conf"
        # A value of several lines goes on where the next one is indented.
        lines = (f"{key} = {value}".replace("\n", "\n    ") for key, value in settings.items())
        configuration.write_text("\n".join(["[global]", *lines, ""]))
        configuration.chmod(0o644)
        named = (Path(word) for value in settings.values() for word in value.split() if word.startswith("/"))
        yield {configuration: Path("/etc/pip.conf")} | {path: path for path in named if path.exists()}


def _settings() -> dict[str, str]:
    """What pip takes from its files and variables; variables win. Read here, since the host may lack pip."""
    parser = configparser.RawConfigParser()
    home = Path.home()
    parser.read(
        [
            "/etc/xdg/pip/pip.conf",
            "/etc/pip.conf",
            home / ".pip" / "pip.conf",
            home / ".config" / "pip" / "pip.conf",
            os.environ.get("PIP_CONFIG_FILE", os.devnull),
        ]
    )
    settings = {
        key: value
        for section in ("global", "install")
        if parser.has_section(section)
        for key, value in parser[section].items()
    }
    variables = {name.removeprefix("PIP_"): value for name, value in os.environ.items() if name.startswith("PIP_")}
    return settings | {
        name.lower().replace("_", "-"): value for name, value in variables.items() if name != "CONFIG_FILE" and value
    }
