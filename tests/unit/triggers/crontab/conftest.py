"""A crontab that is a file, behind a program `crontab`, and an application with a schedule."""

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from tests.unit.runner.harness import SOURCE
from timewright.cli.app import app

# As Debian's does it: no crontab is an error, and so is a last line without its line feed.
FAKE = """\
#!/bin/sh
case "$1" in
-l) if [ -e "$SPOOL" ]; then exec cat "$SPOOL"; else echo "no crontab for $USER" >&2; exit 1; fi ;;
-r) exec rm "$SPOOL" ;;
-)  cat > "$SPOOL.new"
    if [ -n "$(tail -c 1 "$SPOOL.new")" ]; then echo "new crontab file is missing newline" >&2; exit 1; fi
    echo x >> "$SPOOL.writes"
    exec mv "$SPOOL.new" "$SPOOL" ;;
esac
exit 2
"""

APP = """\
from timewright.schedule.schedule import Schedule

schedule = Schedule("shop")
schedule.command("echo hello").every_minute().named("hello")
schedule.command("echo bye").daily().named("bye")
"""

MANIFEST = """\
apiVersion: timewright.dev/v1alpha1
kind: ScheduledTask
metadata:
  name: hello
spec:
  schedule: "* * * * *"
  command: [echo, hello]
"""


@dataclass
class Finished:
    """How a command ended."""

    returncode: int
    output: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        return os.fsdecode(self.output)


@dataclass
class Machine:
    """A user's home, a folder with an application, and what is on PATH."""

    home: Path
    app: Path
    programs: Path
    spool: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def crontab(self) -> bytes | None:
        return self.spool.read_bytes() if self.spool.exists() else None

    @property
    def writes(self) -> int:
        log = Path(f"{self.spool}.writes")
        return len(log.read_text().split()) if log.exists() else 0

    @property
    def log(self) -> Path:
        return self.home / ".local/state/timewright/shop.tasks-schedule.log"

    def timewright(self, *arguments: str, **environment: str) -> Finished:
        """Run a command as `programs/timewright` would."""
        with (
            contextlib.chdir(self.app),
            patch.dict(os.environ, {**self.environment, **environment}, clear=True),
            patch.object(sys, "argv", [str(self.programs / "timewright")]),
        ):
            done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        return Finished(done.exit_code, done.stdout_bytes, done.stderr)

    def install(self, *arguments: str, **environment: str) -> Finished:
        return self.timewright("crontab", "install", "--app", "shop.tasks:schedule", *arguments, **environment)


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home, folder, programs = (tmp_path / name for name in ("home", "an app, 100% 'ours'", "programs"))
    for each in (home, folder, programs):
        each.mkdir()
    (folder / "shop").mkdir()
    (folder / "shop" / "tasks.py").write_text(APP)
    (folder / "tasks.yaml").write_text(MANIFEST)
    executable(
        programs / "timewright",
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(SOURCE)!r})\n"
        "from timewright.cli.main import main\nmain()\n",
    )
    executable(programs / "crontab", FAKE)
    spool = tmp_path / "spool"
    present: Mapping[str, str] = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(home),
        "USER": "ann",
        "LOGNAME": "ann",
        "SPOOL": str(spool),
        "PWD": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": os.environ.get("PYTHONUTF8", "1"),
    }
    return Machine(home, folder, programs, spool, dict(present))
