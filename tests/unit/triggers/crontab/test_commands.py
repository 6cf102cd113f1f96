"""`timewright crontab` as a process, against a program `crontab` that keeps a file."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.triggers.crontab.conftest import APP, Machine, executable
from tests.unit.triggers.crontab.crons import vixie
from timewright.triggers.crontab.block import blocks
from timewright.triggers.crontab.environment import cron_environment

USERS = "# mine\r\nMAILTO=ann@example.com\n\n*/5 * * * * backup --to caf\xe9 % input\n".encode("latin-1")


def line_of(machine: Machine, name: str = "shop.tasks:schedule") -> str:
    (block,) = [each for each in blocks((machine.crontab or b"").decode(errors="surrogateescape")) if each.name == name]
    (line,) = block.lines
    return line


def test_install_and_remove_leave_the_rest_alone(machine: Machine) -> None:
    machine.spool.write_bytes(USERS)
    done = machine.install()
    assert (done.returncode, done.stderr) == (0, "")
    assert "shop.tasks:schedule: cron runs what is due of 2 tasks, every minute" in done.stdout
    assert (machine.crontab or b"").startswith(USERS)
    assert line_of(machine) in done.stdout

    assert "needs no change" in machine.install().stdout
    assert machine.writes == 1

    done = machine.timewright("crontab", "remove")
    assert (done.returncode, done.stdout) == (0, "shop.tasks:schedule: removed\n")
    assert machine.crontab == USERS


def test_a_user_without_a_crontab_has_none_afterwards(machine: Machine) -> None:
    assert machine.install().returncode == 0
    assert machine.crontab is not None
    assert machine.timewright("crontab", "remove", "--app", "shop.tasks:schedule").returncode == 0
    assert machine.crontab is None
    assert "needs no change" in machine.timewright("crontab", "remove").stdout


def test_several_schedules_side_by_side(machine: Machine) -> None:
    machine.install()
    assert machine.timewright("crontab", "install", "-f", "tasks.yaml", "--name", "files").returncode == 0
    assert machine.timewright("crontab", "install", "-f", "tasks.yaml").returncode == 0
    shown = machine.timewright("crontab", "show").stdout.splitlines()
    path = str(machine.app / "tasks.yaml")
    assert shown[::2] == ["# shop.tasks:schedule", "# files", f"# {path}"]
    assert all(line.startswith("* * * * * cd '") for line in shown[1::2])

    done = machine.timewright("crontab", "remove")
    assert done.returncode == 2
    assert "'shop.tasks:schedule', 'files'" in done.stderr
    assert machine.timewright("crontab", "remove", "-f", "tasks.yaml").returncode == 0
    assert machine.timewright("crontab", "show", "--name", "files").stdout.count("\n") == 2
    assert machine.timewright("crontab", "remove", "--all").returncode == 0
    assert machine.crontab is None


def test_a_dry_run_shows_and_changes_nothing(machine: Machine) -> None:
    machine.spool.write_bytes(USERS)
    shown = machine.install("--dry-run").stdout
    added = [line[1:] for line in shown.splitlines() if re.match(r"\+[^+]", line)]
    assert machine.crontab == USERS
    assert machine.writes == 0
    assert not machine.log.parent.exists()
    assert not [line for line in shown.splitlines() if re.match(r"-[^-]", line)]

    machine.install()
    assert added == (machine.crontab or b"").removeprefix(USERS).decode().splitlines()
    shown = machine.timewright("crontab", "remove", "--dry-run").stdout
    assert [line[1:] for line in shown.splitlines() if re.match(r"-[^-]", line)] == added
    assert machine.writes == 1


def run_as_cron_would(machine: Machine, name: str = "shop.tasks:schedule") -> subprocess.CompletedProcess[str]:
    command = vixie(line_of(machine, name).removeprefix("* * * * *").strip())
    environment = cron_environment(str(machine.home), "ann", "")
    return subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False)


def test_the_installed_line_runs_what_is_due(machine: Machine) -> None:
    tasks = machine.app / "shop" / "tasks.py"
    tasks.write_text(APP + 'schedule.command(["sh", "-c", "pwd > ran"]).every_minute().named("writes")\n')
    assert machine.install().returncode == 0
    done = run_as_cron_would(machine)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (machine.app / "ran").read_text() == f"{machine.app}\n"
    assert machine.log.read_text() == ""
    assert (machine.home / ".local/state/timewright/state.db").exists()

    tasks.write_text(APP.replace("echo hello", "false"))
    assert run_as_cron_would(machine).returncode in (0, 1)  # 0 when the minute was done already
    tasks.write_text("raise ValueError('torn')")
    assert run_as_cron_would(machine).returncode == 2
    assert "ValueError: torn" in machine.log.read_text()


def test_what_tells_the_store_and_the_environment_is_carried_over(machine: Machine) -> None:
    variables = {"XDG_STATE_HOME": str(machine.home / "st ate"), "TIMEWRIGHT_ENVIRONMENT": "production"}
    assert machine.install(**variables).returncode == 0
    assert f" TIMEWRIGHT_ENVIRONMENT=production XDG_STATE_HOME='{machine.home}/st ate' " in line_of(machine)
    assert (machine.home / "st ate/timewright/shop.tasks-schedule.log").exists()
    run_as_cron_would(machine)
    assert (machine.home / "st ate/timewright/state.db").exists()

    machine.install("--env", "TIMEWRIGHT_ENVIRONMENT=staging", TIMEWRIGHT_STORE="sqlite:x.db", **variables)
    assert " TIMEWRIGHT_STORE=sqlite:x.db TIMEWRIGHT_ENVIRONMENT=staging " in line_of(machine)
    machine.install("--store", "sqlite:y.db", TIMEWRIGHT_STORE="sqlite:x.db")
    assert "x.db" not in line_of(machine)


def test_the_app_may_come_from_the_environment(machine: Machine) -> None:
    assert machine.timewright("crontab", "install", TIMEWRIGHT_APP="shop.tasks").returncode == 0
    assert " schedule:run --quiet --app shop.tasks " in line_of(machine, "shop.tasks")
    # It says nothing about which block to remove.
    done = machine.timewright("crontab", "remove", TIMEWRIGHT_APP="something.else")
    assert done.stdout == "shop.tasks: removed\n"
    machine.timewright("crontab", "install", "-f", "tasks.yaml", "--name", "files", TIMEWRIGHT_APP="shop.tasks")
    assert " -f " in line_of(machine, "files")


def test_options_end_up_in_the_line(machine: Machine) -> None:
    other = machine.home / "else where"
    other.mkdir()
    (other / "mine").symlink_to(machine.app)
    done = machine.install(
        *("--directory", str(other / "mine"), "--log", "-", "--path", "", "--store", "sqlite:///x.db"),
        *("--env", "LEVEL=50%", "--name", "mine"),
    )
    assert done.returncode == 0, done.stderr
    line = line_of(machine, "mine")
    assert line == (
        f"* * * * * cd '{other}/mine' && LEVEL=50\\% {machine.programs}/timewright schedule:run --quiet "
        "--app shop.tasks:schedule --store sqlite:///x.db"
    )


def test_path_is_the_present_one_without_what_cannot_be_meant(machine: Machine) -> None:
    path = f"relative:/usr/bin:{machine.home}/none::/usr/bin:/bin:{machine.programs}"
    done = machine.install(PATH=path)
    assert done.returncode == 0, done.stderr
    assert f" PATH={machine.programs}:/usr/bin:/bin " in line_of(machine)


def test_an_update_takes_the_place_of_the_old_line(machine: Machine) -> None:
    machine.install()
    machine.spool.write_bytes((machine.crontab or b"") + USERS)
    before = machine.crontab or b""
    machine.install("--log", "/dev/null")
    assert line_of(machine).endswith(" >> /dev/null 2>&1")
    assert (machine.crontab or b"").endswith(USERS)
    machine.install()
    assert machine.crontab == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "expected --app MODULE:ATTRIBUTE or -f FILE"),
        (("--app", "shop.tasks:schedule", "-f", "tasks.yaml"), "expected either --app"),
        (("--app", "shop.nothing:schedule"), "there is no module 'shop.nothing'"),
        (("--app", "shop.tasks:other"), "it has shop.tasks:schedule"),
        (("-f", "nowhere.yaml"), "nowhere.yaml: there is no such file"),
        (("--app", "shop.tasks:schedule", "--directory", "gone"), "--directory gone: there is no folder /"),
        (("--app", "shop.tasks:schedule", "--env", "LEVEL"), "--env LEVEL: expected NAME=VALUE"),
        (("--app", "shop.tasks:schedule", "--name", "a\nb"), "the name of a block is 'a\\nb'"),
        (("--app", "shop.tasks:schedule", "--log", "/dev/null/x"), "--log /dev/null/x: cannot be written"),
        (("--app", "shop.tasks:schedule", "--path", "x" * 1000), "--path"),
    ],
)
def test_wrong_arguments_change_nothing(machine: Machine, arguments: tuple[str, ...], words: str) -> None:
    machine.spool.write_bytes(USERS)
    done = machine.timewright("crontab", "install", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert (machine.crontab, machine.writes) == (USERS, 0)


def test_what_the_shell_has_and_cron_does_not_is_noticed(machine: Machine) -> None:
    tasks = machine.app / "shop" / "tasks.py"
    tasks.write_text("import os\nos.environ['DATABASE']\n" + tasks.read_text())
    done = machine.install(DATABASE="x")
    assert done.returncode == 2
    assert "--env NAME=VALUE" in done.stderr
    assert "KeyError: 'DATABASE'" in done.stderr
    assert machine.crontab is None

    assert machine.install("--env", "DATABASE=x").returncode == 0
    machine.timewright("crontab", "remove", "--all")
    machine.spool.write_text("DATABASE = 'x'\n")
    assert machine.install().returncode == 0


def test_a_shell_of_the_crontab_s_that_cannot_run_the_line(machine: Machine) -> None:
    machine.spool.write_text("SHELL=/bin/false\n")
    assert machine.install().returncode == 2
    machine.spool.write_text("SHELL=/none/sh\n")
    assert "'/none/sh' that the crontab names cannot be started" in machine.install().stderr
    assert machine.writes == 0


def test_no_program_crontab(machine: Machine) -> None:
    (machine.programs / "crontab").unlink()
    done = machine.install(PATH=str(machine.home))
    assert done.returncode == 3
    assert "install cron" in done.stderr
    assert "systemd timer" in done.stderr


@pytest.mark.parametrize("command", ["install", "remove", "show"])
def test_a_crontab_that_cannot_be_read_is_not_taken_for_none(machine: Machine, command: str) -> None:
    complaint = "You (ann) are not allowed to use this program (crontab)"
    executable(
        machine.programs / "crontab", f'#!/bin/sh\n[ "$1" = -l ] || touch "$SPOOL"\necho "{complaint}" >&2\nexit 1'
    )
    done = machine.install() if command == "install" else machine.timewright("crontab", command)
    assert done.returncode == 3
    assert complaint in done.stderr
    assert machine.crontab is None


def test_a_crontab_that_is_refused(machine: Machine) -> None:
    fake = (machine.programs / "crontab").read_text()
    executable(machine.programs / "crontab", fake.replace("-)  ", "-)  echo 'bad minute' >&2; exit 1\n"))
    done = machine.install()
    assert done.returncode == 3
    assert "crontab refused the new text: bad minute" in done.stderr


def test_a_block_that_was_torn_apart(machine: Machine) -> None:
    machine.install()
    torn = (machine.crontab or b"").replace(b"# END", b"# end")
    machine.spool.write_bytes(torn)
    for done in (machine.install(), machine.timewright("crontab", "remove", "--all")):
        assert done.returncode == 2
        assert "line 1 of the crontab begins the block 'shop.tasks:schedule'" in done.stderr
    assert machine.crontab == torn


def test_a_password_in_the_line_is_warned_of(machine: Machine) -> None:
    done = machine.install("--store", "postgresql://ann:secret@db/x")
    assert done.returncode == 0
    assert "~/.pgpass" in done.stderr
    assert machine.install("--store", "postgresql://ann@db/x").stderr == ""


def test_show_without_blocks(machine: Machine) -> None:
    machine.spool.write_bytes(USERS)
    done = machine.timewright("crontab", "show")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no block of timewright's" in done.stderr
    assert "no block 'x'" in machine.timewright("crontab", "show", "--name", "x").stderr


def console_script(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**machine.environment, "PYTHONIOENCODING": "utf-8:strict"}
    command = [machine.programs / "timewright", "crontab", *arguments]
    return subprocess.run(command, cwd=machine.app, env=environment, capture_output=True, check=False)


def test_the_console_script(machine: Machine) -> None:
    machine.spool.write_bytes(USERS)
    done = console_script(machine, "install", "-f", "tasks.yaml", "--dry-run")
    assert (done.returncode, done.stderr) == (0, b"")
    assert USERS.splitlines()[-1] in done.stdout
    assert console_script(machine, "check", "-f", "tasks.yaml").stdout == b"1 task\n"
    assert console_script(machine, "check", "--app", "shop.tasks").stdout == b"2 tasks\n"


def test_started_as_a_module_the_line_names_the_interpreter(machine: Machine, tmp_path: Path) -> None:
    from timewright.triggers.crontab.here import program

    words = program(str(tmp_path / "site-packages" / "main.py"))
    assert words[1:] == ("-m", "timewright.cli.main")
    assert program(str(machine.programs / "timewright")) == (str(machine.programs / "timewright"),)
