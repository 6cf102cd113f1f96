"""`schedule:work` as a process: its ticks, its log, the changes that it takes over, and its end."""

import json
import signal
import time

from tests.unit.cli.schedules import Cli, until

SECONDLY = 'schedule.command(["sh", "-c", "echo {word}"]).every_second().named("t")\n'


def test_runs_each_second_and_ends_when_asked(cli: Cli) -> None:
    app = cli.app(SECONDLY.format(word="tick"))
    with cli.started("schedule:work", "--app", app) as work:
        for _ in range(3):
            work.wait_for("t | tick\n")
            work.output = ""
        work.send(signal.SIGTERM)
        code, output, errors = work.finish()
    assert (code, errors) == (0, "")
    assert "SIGTERM: nothing new starts" in output
    runs = cli.json("schedule:history", "--app", app, "--outcome", "Succeeded")
    assert len({run["spec"]["scheduledAt"] for run in runs}) == len(runs) >= 3


def test_sigterm_lets_a_run_come_to_its_end(cli: Cli) -> None:
    app = cli.app("""
        schedule.shell("echo begun; sleep 3; echo whole > end").every_second().without_overlapping().named("t")
    """)
    with cli.started("schedule:work", "--app", app) as work:
        work.wait_for("t | begun\n")
        work.send(signal.SIGTERM)
        assert work.finish()[0] == 0
    assert (cli.folder / "end").read_text() == "whole\n"


def test_a_run_that_takes_too_long_to_end_is_ended(cli: Cli) -> None:
    app = cli.app('schedule.command(["sh", "-c", "echo begun; sleep 600"]).every_second().on_one_server().named("t")\n')
    with cli.started("schedule:work", "--app", app, "--drain-seconds", "0.5") as work:
        work.wait_for("t | begun\n")
        work.send(signal.SIGTERM)
        code, _, _ = work.finish()
    assert code == 128 + signal.SIGTERM
    assert {run["status"]["outcome"] for run in cli.json("schedule:history", "--app", app)} == {"Cancelled"}


def test_a_second_signal_ends_the_runs_at_once(cli: Cli) -> None:
    app = cli.app("""
        schedule.command(["sh", "-c", "echo begun; sleep 600"]).every_second().without_overlapping().named("t")
    """)
    with cli.started("schedule:work", "--app", app) as work:
        work.wait_for("t | begun\n")
        work.send(signal.SIGINT)
        work.wait_for("SIGINT: nothing new starts; 1 run may go on")
        work.send(signal.SIGINT)
        code, output, _ = work.finish()
    assert code == 130
    assert "Cancelled" in output


def test_changed_manifests_are_taken_over_and_broken_ones_are_not(cli: Cli) -> None:
    def write(word: str) -> str:
        return cli.manifest("t", schedule="* * * * * *", mode="Daemon", command=["echo", word])

    file = write("one")
    with cli.started("schedule:work", "-f", file) as work:
        work.wait_for("t | one\n")
        write("two")
        work.wait_for("t | two\n")
        (cli.folder / file).write_text("{")
        time.sleep(2)
        work.output = ""
        work.wait_for("t | two\n")
        write("three")
        work.wait_for("t | three\n")
        work.send(signal.SIGTERM)
        code, _, errors = work.finish()
    assert code == 0
    assert "the changed schedule is not taken over, the one before stays: -f tasks.yaml: is not YAML" in errors
    assert errors.count("took over the changed schedule: 1 tasks") == 2


def test_a_changed_application_is_taken_over_with_its_other_modules(cli: Cli) -> None:
    (cli.folder / "words.py").write_text("WORD = 'one'\n")
    app = cli.app("""
        from words import WORD
        @schedule.every_second()
        async def t(): print(WORD)
    """)
    with cli.started("schedule:work", "--app", app) as work:
        work.wait_for("t | one\n")
        (cli.folder / "words.py").write_text("WORD = 'two'\n")
        work.wait_for("t | two\n")
        (cli.folder / "words.py").write_text("WORD = \n")
        time.sleep(2)
        work.output = ""
        work.wait_for("t | two\n")
        work.send(signal.SIGTERM)
        code, _, errors = work.finish()
    assert code == 0
    assert "the one before stays: --app shop: importing shop failed" in errors


def test_sighup_has_the_schedule_read_again(cli: Cli) -> None:
    (cli.folder / "word.txt").write_text("one")
    app = cli.app("""
        word = open("word.txt").read()
        schedule.call(print, word).every_second().named("t")
    """)
    with cli.started("schedule:work", "--app", app) as work:
        work.wait_for("t | one\n")
        (cli.folder / "word.txt").write_text("two")
        work.send(signal.SIGHUP)
        work.wait_for("t | two\n")
        assert work.process.poll() is None


def test_a_task_that_somebody_pauses_rests_until_it_is_resumed(cli: Cli) -> None:
    app = cli.app(SECONDLY.format(word="tick"))
    with cli.started("schedule:work", "--app", app) as work:
        work.wait_for("t | tick\n")
        assert cli("schedule:pause", "t", "--app", app, "--reason", "quiet").returncode == 0
        until(lambda: cli.json("schedule:history", "--app", app, "--outcome", "Skipped"))
        assert cli("schedule:resume", "t", "--app", app).returncode == 0
        work.output = ""
        work.wait_for("t | tick\n")


def test_the_json_log_has_an_object_in_each_line(cli: Cli) -> None:
    app = cli.app("""
        script = "printf '\\"a word\\"'; echo wrong >&2; exit 3"
        schedule.shell(script).every_second().named("t")
    """)
    with cli.started("schedule:work", "--app", app, "-o", "json") as work:
        work.wait_for('"outcome": "Failed"')
        work.send(signal.SIGTERM)
        code, output, errors = work.finish()
    assert (code, errors) == (0, "")
    lines = [json.loads(line) for line in output.splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert lines[0]["tasks"] == 1
    printed = [(line["stream"], line["message"]) for line in lines if line.get("task") == "t" and "stream" in line]
    assert {("stdout", '"a word"'), ("stderr", "wrong")} <= set(printed)
    ended = [line["run"]["status"] for line in lines if "run" in line]
    assert ended[0]["exitCode"] == 3


def test_quiet_logs_what_a_person_should_look_at(cli: Cli) -> None:
    app = cli.app(SECONDLY.format(word="tick") + 'schedule.command("false").every_second().named("bad")\n')
    with cli.started("schedule:work", "--app", app, "--quiet") as work:
        work.wait_for("bad | timewright: tick of ")
        work.wait_for("Failed (NonZeroExit)")
        until(lambda: len(cli.json("schedule:history", "t", "--app", app)) > 1)
        work.send(signal.SIGTERM)
        _, output, _ = work.finish()
    assert "tick\n" not in output


def test_a_schedule_that_cannot_be_read_at_first_ends_it(cli: Cli) -> None:
    done = cli("schedule:work", "-f", cli.manifest("t", schedule="61 * * * *", command=["true"]))
    assert done.returncode == 2
    assert "tasks.yaml: t: spec.schedule" in done.stderr
