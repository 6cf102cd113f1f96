"""`schedule:interrupt` and `schedule:unlock`, beside runs that are active in other processes."""

import os
import signal

from tests.unit.cli.schedules import Cli, until

LONG = """
    schedule.command(["sh", "-c", "echo $$$$ > pid; sleep 600"]).daily().without_overlapping().named("long")
    schedule.command("sleep 600").daily().named("other")
    schedule.command("sleep 600").daily().overlap("Queue").named("queue")
"""


def test_interrupt_ends_an_active_run_in_another_process(cli: Cli) -> None:
    app = cli.app(LONG)
    with (
        cli.started("schedule:run-now", "long", "--app", app) as run,
        cli.started("schedule:run-now", "other", "--app", app) as other,
    ):
        until(lambda: len(cli.open_runs("--app", app)) == 2)
        done = cli("schedule:interrupt", "long", "--app", app)
        assert done.returncode == 0
        assert done.stdout.startswith("long: long-manual-")
        assert done.stdout.endswith(" is asked to end\n")
        code, output, _ = run.finish()
        assert code == 1
        assert "Cancelled (Interrupted)" in output
        assert other.process.poll() is None
        assert "other: " in cli("schedule:interrupt", "--app", app).stdout
        assert other.finish()[0] == 1
    assert cli("schedule:interrupt", "--app", app).stdout == "Nothing is active.\n"


def test_interrupt_cancels_what_waits(cli: Cli) -> None:
    app = cli.app(LONG)
    with cli.started("schedule:run-now", "queue", "--app", app) as first:
        (active,) = cli.open_runs("--app", app)
        with cli.started("schedule:run-now", "queue", "--app", app) as second:
            until(lambda: len(cli.open_runs("--app", app)) == 2)
            (waiting,) = set(cli.open_runs("--app", app)) - {active}
            done = cli("schedule:interrupt", "queue", "--app", app, "--run", waiting)
            assert done.stdout == f"queue: {waiting} waited for room, and is Cancelled\n"
            code, output, _ = second.finish()
            assert code == 1
            assert "Cancelled (Interrupted)" in output
        assert first.process.poll() is None
        first.send(signal.SIGTERM)
        first.finish()


def test_interrupt_of_a_run_that_does_not_exist(cli: Cli) -> None:
    done = cli("schedule:interrupt", "--app", cli.app(LONG), "--run", "long-7")
    assert done.returncode == 2
    assert "there is no run 'long-7' without an outcome" in done.stderr


def test_unlock_tells_a_run_lost_whose_process_was_killed(cli: Cli) -> None:
    app = cli.app(LONG)
    with cli.started("schedule:run-now", "long", "--app", app) as run:
        (name,) = cli.open_runs("--app", app)
        pid = until(lambda: (cli.folder / "pid").exists() and (cli.folder / "pid").read_text().strip())
        run.process.kill()
        run.process.wait()
    try:
        done = cli("schedule:unlock", "long", "--app", app)
        assert (done.returncode, done.stdout) == (0, f"long: {name} given up; it is recorded as Lost\n")
        (record,) = cli.json("schedule:history", "--app", app)
        assert (record["status"]["outcome"], record["status"]["reason"]) == ("Lost", "OwnerGone")
        assert "nothing to unlock" in cli("schedule:unlock", "long", "--app", app).stdout
    finally:
        kill_group(int(pid))


def test_unlock_spares_a_run_whose_process_lives_unless_forced(cli: Cli) -> None:
    app = cli.app(LONG)
    with cli.started("schedule:run-now", "long", "--app", app) as run:
        (name,) = cli.open_runs("--app", app)
        spared = cli("schedule:unlock", "long", "--app", app)
        assert spared.returncode == 1
        assert "is active in a process that is alive" in spared.stdout
        forced = cli("schedule:unlock", "long", "--app", app, "--force")
        assert (forced.returncode, forced.stdout) == (0, f"long: {name} given up; it is recorded as Lost\n")
        run.send(signal.SIGTERM)
        _, _, errors = run.finish()
        assert "1 outcomes are not recorded, since others took their runs for lost" in errors
    (record,) = cli.json("schedule:history", "--app", app)
    assert record["status"]["outcome"] == "Lost"


def test_unlock_of_a_lock_that_nobody_holds(cli: Cli) -> None:
    done = cli("schedule:unlock", "deploy", "--lock")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nobody holds a lock 'deploy'; held are: none" in done.stderr


def kill_group(pid: int) -> None:
    """End what a killed process left behind."""
    os.killpg(pid, signal.SIGKILL)
