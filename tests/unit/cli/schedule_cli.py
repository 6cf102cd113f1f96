"""Runs `timewright` as a process of its own: what tasks print goes past this process's own streams."""

import os
import subprocess
import sys
from pathlib import Path

import timewright


def run_timewright(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, with a store of its own there."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(timewright.__file__).parents[1]),
        "TIMEWRIGHT_STORE": f"sqlite://{folder}/state.db",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-m", "timewright.cli.main", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
