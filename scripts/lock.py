#!/usr/bin/env python3
"""Pins every dependency with its hashes: `requirements/*.txt` from `pyproject.toml`.

`scripts/lock.py` resolves anew, keeping pins that still fit (`--upgrade` takes the newest). `scripts/lock.py --check`
asks nobody: it fails if the declared dependencies are not those that were resolved.
"""
# ruff: noqa: S603, T201 - a tool for developers, which prints and runs other tools

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent
REQUIREMENTS = PROJECT / "requirements"
CONSTRAINTS = REQUIREMENTS / "constraints.in"
UV = "uv==0.13.9"

# The extras of the image, which is the operator's, the runner's and the daemon's.
IMAGE = ("operator", "daemon", "calendars", "postgresql")

# What each file pins. `editables` is what an editable install by hatchling needs.
FILES: dict[str, tuple[str, ...]] = {
    "build": (),
    "runtime": (),
    "operator": tuple(f"--extra={extra}" for extra in IMAGE),
    "dev": (*(f"--extra={extra}" for extra in IMAGE), "--group=dev"),
}


def main() -> int:
    """Resolve, or check; the exit status says whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--upgrade", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        return _check()
    uv = _uv()
    for name in FILES:
        _resolve(uv, name, upgrade=arguments.upgrade)
    return 0


def _check() -> int:
    stale = [name for name in FILES if _recorded(name) != _declared(name)]
    for name in stale:
        print(f"requirements/{name}.txt is not what pyproject.toml asks for: run `make lock`", file=sys.stderr)
    return int(bool(stale))


def _resolve(uv: Path, name: str, *, upgrade: bool) -> None:
    target = REQUIREMENTS / f"{name}.txt"
    build = "\n".join(_build_requirements())
    command: list[str | Path] = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version=3.11",
        "--generate-hashes",
    ]
    # Neither the index nor its address is anybody's business but that of the machine that installs.
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"]
    command += ["--upgrade"] if upgrade else []
    command += ["--output-file", target, *FILES[name], f"--constraint={CONSTRAINTS.relative_to(PROJECT)}"]
    sources = {"build": ["-"], "dev": ["pyproject.toml", "-"]}.get(name, ["pyproject.toml"])
    # The files build on each other, so that a test runs with the versions that the image has.
    if name == "operator":
        command += ["--constraint=requirements/runtime.txt"]
    if name == "dev":
        command += ["--constraint=requirements/operator.txt", "--constraint=requirements/build.txt"]
    subprocess.run([*command, *sources], cwd=PROJECT, input=build, text=True, check=True)
    header = f"# Made by `make lock` from pyproject.toml; do not edit.\n# for: {_declared(name)}\n"
    target.write_text(header + target.read_text())


def _declared(name: str) -> str:
    """A digest of the declarations that a file was resolved from."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    declared: list[object] = [_build_requirements(), CONSTRAINTS.read_text()]
    if name != "build":
        table = project["project"]
        declared += [table["requires-python"], table["dependencies"]]
    if name in ("operator", "dev"):
        extras = project["project"]["optional-dependencies"]
        declared.append([extras[extra] for extra in IMAGE])
    if name == "dev":
        declared.append(project["dependency-groups"])
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:16]


def _recorded(name: str) -> str | None:
    file = REQUIREMENTS / f"{name}.txt"
    found = re.search(r"^# for: (\w+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return found[1] if found else None


def _build_requirements() -> list[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return [*project["build-system"]["requires"], "editables"]


def _uv() -> Path:
    """A resolver of a fixed version, since another one may write the files differently."""
    environment = PROJECT / "build" / UV.replace("==", "-")
    if not (environment / "bin" / "uv").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([environment / "bin" / "pip", "install", "--quiet", UV], check=True)
    return environment / "bin" / "uv"


if __name__ == "__main__":
    sys.exit(main())
