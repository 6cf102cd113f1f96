"""`schedule:run-now` and `schedule:test` as processes."""

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from tests.unit.cli.schedules import _CODE, PATIENCE_SECONDS, Cli
from timewright.resources.definition import parameter_variable

INVOICE = {
    "schedule": "0 6 1 * *",
    "suspend": True,
    "parameters": [
        {"name": "month", "default": "2026-12"},
        {"name": "copies", "type": "integer", "default": 1},
        {"name": "dry_run", "type": "boolean", "default": True},
    ],
    "command": ["sh", "-c", f"echo ${parameter_variable('month')} ${parameter_variable('copies')}"],
}


def test_runs_a_suspended_task_with_typed_parameters(cli: Cli) -> None:
    file = cli.manifest("invoice", **INVOICE)
    done = cli("schedule:run-now", "invoice", "-f", file, "-p", "month=2026-11", "--parameters", '{"copies": 3}')
    assert done.returncode == 0, done.stderr
    assert "invoice | 2026-11 3\n" in done.stdout
    assert " Succeeded after " in done.stdout.splitlines()[-1]
    (record,) = cli.json("schedule:history", "-f", file)
    assert record["spec"]["trigger"] == "Manual"
    assert record["spec"]["parameters"] == {"month": "2026-11", "copies": 3, "dry_run": True}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("invoices",), "there is no task 'invoices'; did you mean invoice?"),
        (("xyz",), "there is no task 'xyz'; there are invoice"),
        (("invoice", "-p", "copies=many"), "--parameter copies=many: expected type integer"),
        (("invoice", "-p", "year=1"), "the task declares no parameter 'year'; it declares month (string)"),
        (("invoice", "--parameters", "[1]"), "expected a JSON object"),
        (("invoice", "--parameters", "{"), "is not JSON"),
        (("invoice", "--parameters", '{"copies": "3"}'), "--parameter copies: '3' is not of type integer"),
    ],
)
def test_what_does_not_fit_is_refused(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    done = cli("schedule:run-now", *arguments, "-f", cli.manifest("invoice", **INVOICE))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_parameters_of_a_function_are_those_of_its_signature(cli: Cli) -> None:
    app = cli.app("""
        @schedule.only_by_hand()
        def load(since: str = "0", limit: int = 1, ratio: float = 1, dry: bool = False, more=None, *, flag=None):
            print([since, limit, ratio, dry, more, flag])
    """)
    given = ("since=7", "limit=3", "ratio=2", "dry=true", 'more=["x"]', "flag=some text")
    options = [word for each in given for word in ("-p", each)]
    done = cli("schedule:run-now", "load", "--app", app, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "load | ['7', 3, 2.0, True, ['x'], 'some text']\n" in done.stdout
    wrong = cli("schedule:run-now", "load", "--app", app, "-p", "limit=x")
    assert (wrong.returncode, wrong.stderr) == (2, "timewright: --parameter limit=x: expected type int\n")
    unknown = cli("schedule:run-now", "load", "--app", app, "-p", "untill=x")
    assert unknown.returncode == 2
    assert "unexpected keyword argument 'untill'" in unknown.stderr


def test_a_failure_is_exit_code_1_and_json_tells_it(cli: Cli) -> None:
    app = cli.app('schedule.command(["sh", "-c", "echo no; exit 4"]).daily().named("t")\n')
    done = cli("schedule:run-now", "t", "--app", app, "-o", "json")
    assert done.returncode == 1
    assert '"exitCode": 4' in done.stdout
    assert "t | no\n" in done.stderr


def test_a_known_key_tells_how_the_first_run_went(cli: Cli) -> None:
    app = cli.app('schedule.command(["sh", "-c", "echo >> ran; exit 1"]).daily().named("t")\n')
    first = cli("schedule:run-now", "t", "--app", app, "--idempotency-key", "order 7")
    again = cli("schedule:run-now", "t", "--app", app, "--idempotency-key", "order 7")
    assert first.returncode == again.returncode == 1
    assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert (cli.folder / "ran").read_text() == "\n"


def test_a_known_key_of_an_active_run_waits_for_its_end(cli: Cli) -> None:
    app = cli.app("""
        schedule.command(["sh", "-c", "echo >> ran; while [ ! -e go ]; do sleep 0.05; done"]).daily().named("t")
    """)
    arguments = ("schedule:run-now", "t", "--app", app, "--idempotency-key", "k")
    with cli.started(*arguments) as first:
        cli.open_runs("--app", app)
        with cli.started(*arguments) as other:
            time.sleep(1)
            assert other.process.poll() is None
            (cli.folder / "go").touch()
            assert first.finish()[0] == other.finish()[0] == 0
    assert (cli.folder / "ran").read_text() == "\n"


def test_overlap_is_refused_unless_overridden(cli: Cli) -> None:
    app = cli.app('schedule.command("sleep 600").daily().without_overlapping().named("t")\n')
    with cli.started("schedule:run-now", "t", "--app", app) as first:
        cli.open_runs("--app", app)
        refused = cli("schedule:run-now", "t", "--app", app)
        assert refused.returncode == 1
        assert "Skipped (Overlap)" in refused.stdout
        with cli.started("schedule:run-now", "t", "--app", app, "--override") as second:
            second.wait_for("timewright: run t-manual-")
            second.send(signal.SIGINT)
            code, output, _ = second.finish()
            assert code == 130
            assert "Cancelled (Terminated)" in output
        first.send(signal.SIGTERM)
        assert first.finish()[0] == 143


def test_a_run_that_needs_a_shared_store_is_refused_without_one(cli: Cli) -> None:
    app = cli.app('schedule.command("true").daily().on_one_server().named("t")\n')
    env = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "TMPDIR": str(cli.folder)}
    done = cli("schedule:run-now", "t", "--app", app, env=env)
    assert done.returncode == 3
    assert "Set TIMEWRIGHT_STORE to a PostgreSQL URL" in done.stdout


def test_schedule_test_runs_a_task_even_beside_an_active_one(cli: Cli) -> None:
    app = cli.app('schedule.command(["sh", "-c", "echo seen"]).daily().without_overlapping().named("t")\n')
    done = cli("schedule:test", "t", "--app", app)
    assert done.returncode == 0
    assert "t | seen\n" in done.stdout
    (record,) = cli.json("schedule:history", "--app", app)
    assert record["spec"]["trigger"] == "Manual"


def test_schedule_test_without_a_name_lists_them(cli: Cli) -> None:
    app = cli.app('schedule.command("true").daily().named("a")\nschedule.command("true").daily().named("b")\n')
    done = cli("schedule:test", "--app", app)
    assert (done.returncode, done.stderr) == (2, "timewright: which task? Name one of a, b\n")


def test_schedule_test_offers_the_tasks_on_a_terminal(cli: Cli) -> None:
    app = cli.app("""
        schedule.command(["sh", "-c", "echo first one"]).daily().named("a")
        schedule.command(["sh", "-c", "echo second one"]).daily().named("b")
    """)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, "schedule:test", "--app", app],
        env=cli.environment({"TERM": "dumb"}),
        cwd=cli.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        seen = read_until(ours, "Its number or name: ")
        os.write(ours, b"9\n")
        seen += read_until(ours, "Its number or name: ")
        os.write(ours, b"2\n")
        seen += read_until(ours, "Succeeded after")
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert "'9' is not among them" in seen
    assert "b | second one" in seen
    assert "a | first one" not in seen


def read_until(descriptor: int, text: str) -> str:
    seen = ""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while text not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([descriptor], [], [], 0.2)[0]:
            seen += os.read(descriptor, 4096).decode()
    return seen
