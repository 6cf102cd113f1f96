"""The program `crontab` of this machine, with a spool of its own that nobody else sees."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.triggers.crontab.conftest import Machine

SPOOL = Path("/var/spool/cron")
# In a namespace of mounts, so that the crontab of whoever runs the tests is not touched.
SCRIPT = """\
set -e
mount -t tmpfs none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
printf 'A=1\\n# mine\\n0 3 * * * echo 100\\\\%%\\n' | crontab -
timewright crontab install --app shop.tasks
timewright crontab install --app shop.tasks
crontab -l
echo ----
timewright crontab remove --all
crontab -l
crontab -r
timewright crontab install --app shop.tasks
timewright crontab remove
if crontab -l; then exit 9; fi
"""

possible = os.geteuid() == 0 and SPOOL.is_dir() and shutil.which("crontab") and shutil.which("unshare")


@pytest.mark.skipif(not possible, reason="needs root, a program crontab and unshare")
def test_the_real_crontab(machine: Machine) -> None:
    real = shutil.which("crontab")
    assert real is not None
    (machine.programs / "crontab").unlink()
    environment = {**machine.environment, "PATH": f"{machine.programs}:{Path(real).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SCRIPT],
        cwd=machine.app,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    users = "A=1\n# mine\n0 3 * * * echo 100\\%\n"
    installed, _, removed = done.stdout.partition("----\n")
    assert "needs no change\n" + users + "# BEGIN timewright shop.tasks\n" in installed
    assert users in removed
    assert removed.count("shop.tasks: removed\n") == 2
