"""`schedule:run` as a process: what it runs, what it prints, how it ends."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.unit.cli.schedules import NOON, Cli, until
from tests.unit.runner.harness import manifest

TWO = """
    schedule.command(["sh", "-c", "echo printed"]).every_minute().named("good")
    schedule.command(["sh", "-c", "echo trouble >&2; exit 3"]).every_minute().named("bad")
    schedule.command("true").yearly().named("not_due")
"""


def test_runs_what_is_due_and_tells_how_it_went(cli: Cli) -> None:
    done = cli("schedule:run", "--app", cli.app(TWO), "--at", NOON)
    assert done.returncode == 1
    assert "good | printed\n" in done.stdout
    assert "bad | trouble\n" in done.stderr
    *told, last = done.stdout.splitlines()[-3:]
    lines = {line.split()[0]: line for line in told}
    assert lines["good"].split()[1:3] == [NOON, "Succeeded"]
    assert "Failed (NonZeroExit)" in lines["bad"]
    assert lines["bad"].endswith("trouble")
    assert last in (f"At {NOON}: 1 Succeeded, 1 Failed.", f"At {NOON}: 1 Failed, 1 Succeeded.")
    assert "not_due" not in done.stdout


def test_a_second_invocation_of_the_minute_has_nothing_to_do(cli: Cli) -> None:
    app = cli.app('schedule.command("true").every_minute().named("t")\n')
    assert cli("schedule:run", "--app", app, "--at", NOON).returncode == 0
    again = cli("schedule:run", "--app", app, "--at", NOON)
    assert (again.returncode, again.stdout) == (0, f"Nothing was due at {NOON}.\n")


def test_json_is_all_that_is_on_stdout(cli: Cli) -> None:
    done = cli("schedule:run", "--app", cli.app(TWO), "--at", NOON, "-o", "json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["scheduledAt"] == NOON
    assert document["outcomes"] == {"Succeeded": 1, "Failed": 1}
    names = {run["spec"]["taskRef"]["name"]: run["status"]["outcome"] for run in document["runs"]}
    assert names == {"good": "Succeeded", "bad": "Failed"}
    assert "good | printed\n" in done.stderr


def test_quiet_prints_what_went_wrong_alone(cli: Cli) -> None:
    done = cli("schedule:run", "--app", cli.app(TWO), "--at", NOON, "--quiet")
    assert done.returncode == 1
    assert "good" not in done.stdout + done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("bad")
    assert rest == ["    trouble"]


@pytest.mark.parametrize(
    ("arguments", "env", "minute"),
    [
        (("--at", "2026-03-02T12:05:40Z"), {}, "2026-03-02T12:05:00Z"),
        (("--at", "2026-03-02T14:05:00+02:00"), {}, "2026-03-02T12:05:00Z"),
        ((), {"TIMEWRIGHT_SCHEDULED_AT": "2026-03-02T12:05:00Z"}, "2026-03-02T12:05:00Z"),
        ((), {"TIMEWRIGHT_SCHEDULED_AT": "", "TIMEWRIGHT_RUN_ID": "shop-29540885"}, "2026-03-02T12:05:00Z"),
        (("--at", NOON), {"TIMEWRIGHT_SCHEDULED_AT": "2026-03-02T12:05:00Z"}, NOON),
    ],
)
def test_the_nominal_time(cli: Cli, arguments: tuple[str, ...], env: dict[str, str], minute: str) -> None:
    app = cli.app('schedule.command("true").every_minute().named("t")\n')
    assert cli.json("schedule:run", "--app", app, *arguments, env=env)["scheduledAt"] == minute


def test_a_pod_that_starts_late_runs_what_was_due_in_its_minute(cli: Cli) -> None:
    app = cli.app('schedule.command("true").hourly().named("on_the_hour")\n')
    env = {"TIMEWRIGHT_SCHEDULED_AT": NOON, "TIMEWRIGHT_RUN_ID": "shop-29540880"}
    (run,) = cli.json("schedule:run", "--app", app, env=env)["runs"]
    assert run["spec"]["scheduledAt"] == NOON
    assert run["status"]["outcome"] == "Succeeded"


def test_the_schedule_of_the_environment(cli: Cli) -> None:
    app = cli.app('schedule.command("true").every_minute().named("of_app")\n')
    file = cli.manifest("of_file", schedule="* * * * *", command=["true"])
    env = {"TIMEWRIGHT_APP": app}
    assert "of_app" in cli("schedule:run", "--at", NOON, env=env).stdout
    assert "of_file" in cli("schedule:run", "--at", NOON, "-f", file, env=env).stdout


def test_a_folder_of_manifests(cli: Cli) -> None:
    (cli.folder / "tasks").mkdir()
    cli.manifest("one", "tasks/one.yaml", schedule="* * * * *", command=["true"])
    cli.manifest("two", "tasks/two.json", schedule="* * * * *", python={"call": "os:getpid"}, image="ignored")
    done = cli("schedule:run", "--at", NOON, "-f", "tasks")
    assert done.returncode == 0
    assert done.stdout.endswith(f"At {NOON}: 2 Succeeded.\n")
    assert "two: spec.image: passed over" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (("--app", "shop", "-f", "x.yaml"), {}, "--app and -f are both given"),
        (("--app", "nowhere"), {}, "there is no module 'nowhere'"),
        (("--app", "shop:other"), {}, "has no 'other'; it has shop:schedule"),
        (("-f", "nothing.yaml"), {}, "nothing.yaml: there is no such file or folder"),
        (("--app", "shop", "--at", "noon"), {}, "'noon' is not a time; write it like"),
        (("--app", "shop", "--parallel", "0"), {}, "'0' is not a whole number from 1"),
        (("--app", "shop", "--store", "mysql://x"), {}, "names no store"),
        (("--app", "shop"), {"TIMEWRIGHT_SCHEDULED_AT": "noon"}, "TIMEWRIGHT_SCHEDULED_AT: 'noon' is not a time"),
        (("--quiet",), {"TIMEWRIGHT_DEFINITION": manifest({"command": ["true"]})}, "no option goes with it"),
    ],
)
def test_usage_errors(cli: Cli, arguments: tuple[str, ...], env: dict[str, str], words: str) -> None:
    cli.app("")
    done = cli("schedule:run", *arguments, env=env)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_two_at_once_run_each_task_once(cli: Cli) -> None:
    app = cli.app("""
        for number in range(20):
            schedule.command(["sh", "-c", f"echo {number} >> ran; sleep 0.2"]).every_minute().named(f"task{number}")
    """)
    arguments = ("schedule:run", "--app", app, "--at", NOON, "--quiet")
    with cli.started(*arguments) as one, cli.started(*arguments) as other:
        assert one.finish()[0] == other.finish()[0] == 0
    assert sorted(map(int, (cli.folder / "ran").read_text().split())) == list(range(20))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_runs_and_records_that(cli: Cli, number: signal.Signals) -> None:
    app = cli.app("""
        schedule.command(["sh", "-c", "echo $$$$ > pid; echo begun; sleep 600"]).every_minute().named("long")
        schedule.command("true").every_minute().named("short")
    """)
    with cli.started("schedule:run", "--app", app, "--at", NOON) as run:
        run.wait_for("long | begun\n")
        until(lambda: "Succeeded" in cli("schedule:history", "short", "--app", app).stdout)
        pid = (cli.folder / "pid").read_text().strip()
        run.send(number)
        code, output, _ = run.finish()
    assert code == 128 + number
    assert not Path("/proc", pid).exists()
    assert output.endswith((f"At {NOON}: 1 Succeeded, 1 Cancelled.\n", f"At {NOON}: 1 Cancelled, 1 Succeeded.\n"))
    (record,) = cli.json("schedule:history", "long", "--app", app)
    assert record["status"]["outcome"] == "Cancelled"
    assert record["status"]["message"] == f"stopped by {number.name} from outside"


def test_without_its_store_it_runs_what_may_run_unclaimed(cli: Cli) -> None:
    app = cli.app("""
        schedule.command(["sh", "-c", "echo free"]).every_minute().named("free")
        schedule.command(["sh", "-c", "echo exclusive"]).every_minute().without_overlapping().named("exclusive")
    """)
    (cli.folder / "file").write_text("")
    store = f"sqlite:{cli.folder}/file/state.db"
    done = cli("schedule:run", "--app", app, "--at", NOON, "--store", store)
    assert done.returncode == 3
    assert "free | free\n" in done.stdout
    assert "exclusive | exclusive" not in done.stdout
    assert "Skipped (Unprotected)" in done.stdout
    assert str(cli.folder / "file") in done.stderr


def test_a_pod_without_a_shared_store_refuses_what_needs_one(cli: Cli) -> None:
    app = cli.app("""
        schedule.command("true").every_minute().named("free")
        schedule.command("true").every_minute().on_one_server().named("exclusive")
    """)
    env = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "TMPDIR": str(cli.folder)}
    done = cli("schedule:run", "--app", app, "--at", NOON, env=env)
    assert done.returncode == 3
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("exclusive")]
    assert "Skipped (Unprotected)" in line
    assert "Set TIMEWRIGHT_STORE to a PostgreSQL URL" in line


def test_a_reader_that_has_gone_is_no_failure(cli: Cli) -> None:
    app = cli.app('schedule.command(["sh", "-c", "sleep 1; echo late"]).every_minute().named("t")\n')
    with cli.started("schedule:run", "--app", app, "--at", NOON) as run:
        assert run.process.stdout is not None
        run.process.stdout.close()
        assert run.process.wait(30) == 0
    (record,) = cli.json("schedule:history", "--app", app)
    assert record["status"]["output"] == "late\n"


def test_a_task_that_closes_stdout_hides_nothing_of_what_is_told(cli: Cli) -> None:
    app = cli.app("""
        @schedule.every_minute()
        def closes():
            os.close(1)
            os.close(2)
            sys.exit(7)
    """)
    done = cli("schedule:run", "--app", app, "--at", NOON)
    assert done.returncode == 1
    assert done.stdout.endswith(f"At {NOON}: 1 Failed.\n")


LEAN = ("typer", "rich", "pydantic", "kopf", "kubernetes", "aiohttp", "httpx", "yaml", "timewright.controller")


def test_it_imports_no_more_than_it_needs(cli: Cli) -> None:
    app = cli.app(f"""
        @schedule.every_minute()
        async def probe():
            print([name for name in {LEAN} if name in sys.modules])
    """)
    done = cli("schedule:run", "--app", app, "--at", NOON)
    assert "probe | []\n" in done.stdout, done.stdout + done.stderr


def test_a_coroutine_that_blocks_keeps_no_signal_from_being_taken(cli: Cli) -> None:
    app = cli.app("""
        @schedule.every_minute()
        async def blocks():
            print("begun", flush=True)
            time.sleep(600)
        schedule.command("sleep 600").every_minute().named("other")
    """)
    with cli.started("schedule:run", "--app", app, "--at", NOON) as run:
        run.wait_for("blocks | begun\n")
        run.send(signal.SIGTERM)
        code, output, _ = run.finish()
    assert code == 143
    assert "SIGTERM could not be taken, since a coroutine blocked the event loop; let it await" in output
    outcomes = {run["spec"]["taskRef"]["name"]: run["status"]["outcome"] for run in cli.json("schedule:history")}
    assert outcomes == {"blocks": "Failed", "other": "Cancelled"}


def test_an_impatient_person_need_not_wait_for_a_coroutine_that_blocks(cli: Cli) -> None:
    app = cli.app("""
        @schedule.every_minute()
        async def blocks():
            print("begun", flush=True)
            time.sleep(600)
    """)
    with cli.started("schedule:run", "--app", app, "--at", NOON) as run:
        run.wait_for("blocks | begun\n")
        run.send(signal.SIGINT)
        time.sleep(1.2)
        run.send(signal.SIGINT)
        assert run.finish()[0] == 130
