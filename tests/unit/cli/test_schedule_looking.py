"""`schedule:list` and `schedule:history` as processes; `schedule:pause` and `schedule:resume`, which they tell of."""

import json
import os
import pty
import subprocess
import sys
import time

import pytest

from tests.unit.cli.schedules import _CODE, NOON, Cli

TASKS = """
    schedule.command(["sh", "-c", "exit 0"]).every_minute().named("good")
    schedule.command(["sh", "-c", "echo so it is >&2; exit 3"]).every_minute().named("bad")
    schedule.command("true").daily_at("3:00").time_zone("Europe/Berlin").named("nightly")
    schedule.command("true").only_by_hand().named("manual")
    schedule.command("true").hourly().even_when_paused().named("watchdog")
"""


def cells(output: str) -> dict[str, dict[str, str]]:
    """Return a table as the columns by name of each row by its first cell."""
    head, *rows = output.splitlines()
    starts = [head.index(word) for word in head.split("  ") if word for word in [word.strip()] if word]
    names = [word.strip() for word in head.split("  ") if word.strip()]
    ends = [*starts[1:], None]
    table = [{n: row[s:e].strip() for n, s, e in zip(names, starts, ends, strict=True)} for row in rows]
    return {row[names[0]]: row for row in table}


def test_list(cli: Cli) -> None:
    app = cli.app(TASKS)
    cli("schedule:run", "--app", app)
    table = cells(cli("schedule:list", "--app", app).stdout)
    assert list(table) == ["good", "bad", "nightly", "manual", "watchdog"]
    assert table["good"]["SCHEDULE"] == "* * * * *"
    assert table["good"]["NEXT"].startswith("in ")
    assert table["good"]["OUTCOME"] == "Succeeded"
    assert table["bad"]["OUTCOME"] == "Failed"
    assert table["bad"]["LAST"]
    assert table["nightly"]["LAST"] == ""
    assert table["manual"]["SCHEDULE"] == "by hand"
    assert table["manual"]["NEXT"] == ""


def test_list_wide_and_json_tell_more(cli: Cli) -> None:
    app = cli.app(TASKS)
    wide = cli("schedule:list", "--app", app, "-o", "wide").stdout
    assert "At 03:00 every day (Europe/Berlin)." in wide
    nightly = next(task for task in cli.json("schedule:list", "--app", app, "--next", "3") if task["name"] == "nightly")
    assert nightly["key"] == "shop/nightly"
    assert nightly["timeZone"] == "Europe/Berlin"
    assert len(set(nightly["nextTicks"])) == 3
    assert all(tick.endswith(("T01:00:00Z", "T02:00:00Z")) for tick in nightly["nextTicks"])
    assert nightly["lastOutcome"] is None


def test_list_without_the_store_tells_what_is_known(cli: Cli) -> None:
    (cli.folder / "file").write_text("")
    done = cli("schedule:list", "--app", cli.app(TASKS), "--store", f"sqlite:{cli.folder}/file/state.db")
    assert done.returncode == 3
    assert cells(done.stdout)["good"]["NEXT"].startswith("in ")
    assert "tells neither of runs nor of pauses" in done.stderr


def test_list_on_a_terminal(cli: Cli) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, "schedule:list", "--app", cli.app(TASKS)],
        env=cli.environment({"TERM": "xterm", "COLUMNS": "60"}),
        cwd=cli.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:
                break
            if not data:
                break
            seen += data
        os.close(ours)
        assert process.wait(30) == 0
    assert b"nightly" in seen


def test_history_and_its_filters(cli: Cli) -> None:
    app = cli.app(TASKS)
    for minute in range(3):
        cli("schedule:run", "--app", app, "--at", f"2026-03-02T12:0{minute}:00Z")
    runs = cli.json("schedule:history", "--app", app)
    assert [run["spec"]["scheduledAt"][14:16] for run in runs] == ["02", "02", "01", "01", "00", "00", "00"]
    assert {run["spec"]["taskRef"]["name"] for run in runs[:-3]} == {"good", "bad"}
    bad = cli("schedule:history", "bad", "--app", app).stdout
    assert len([line for line in bad.splitlines() if "Failed (NonZeroExit)" in line]) == 3
    assert "bad: 3 Failed since it was first seen\n" in bad
    assert "so it is" in bad
    assert len(cli.json("schedule:history", "--app", app, "--outcome", "failed")) == 3
    assert len(cli.json("schedule:history", "--app", app, "--outcome", "Failed", "--outcome", "Succeeded")) == 7
    assert len(cli.json("schedule:history", "--app", app, "--since", "2026-03-02T12:01:00Z")) == 4
    assert len(cli.json("schedule:history", "--app", app, "--until", "2026-03-02T12:01:00Z")) == 3
    assert cli.json("schedule:history", "--app", app, "--since", "2h") == []
    limited = cli("schedule:history", "--app", app, "--limit", "2").stdout
    assert limited.endswith("The latest 2; --limit shows more.\n")


def test_history_of_a_store_without_a_schedule(cli: Cli) -> None:
    cli("schedule:run", "--app", cli.app(TASKS), "--at", NOON)
    assert len(cli.json("schedule:history")) == 3
    (run,) = cli.json("schedule:history", "shop/bad")
    assert run["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--outcome", "Fine"), "'Fine' is no outcome; write one of Succeeded, Failed"),
        (("--since", "tomorrow"), "'tomorrow' is neither a time, such as 2026-03-08T04:00:00Z, nor a duration"),
        (("--limit", "0"), "'0' is not a whole number from 1"),
    ],
)
def test_history_refuses(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    done = cli("schedule:history", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_reader_that_has_seen_enough_is_no_failure(cli: Cli) -> None:
    app = cli.app(TASKS)
    with cli.started("schedule:list", "--app", app) as listing:
        assert listing.process.stdout is not None
        listing.process.stdout.close()
        assert listing.process.wait(30) == 0
        assert listing.process.stderr is not None
        assert listing.process.stderr.read() == b""


def test_pause_and_resume(cli: Cli) -> None:
    app = cli.app(TASKS)
    done = cli("schedule:pause", "good", "--app", app, "--for", "2h", "--reason", "moving house")
    assert done.returncode == 0
    assert done.stdout.startswith("good: paused until 20")
    listed = {task["name"]: task for task in cli.json("schedule:list", "--app", app)}
    assert listed["good"]["paused"]["reason"] == "moving house"
    assert listed["good"]["nextTicks"] == []
    assert listed["bad"]["paused"] is None
    state = cells(cli("schedule:list", "--app", app).stdout)["good"]["STATE"]
    assert state.startswith("paused for another 1h59m: moving house")
    runs = {run["spec"]["taskRef"]["name"]: run["status"] for run in cli.json("schedule:run", "--app", app)["runs"]}
    assert (runs["good"]["outcome"], runs["good"]["reason"]) == ("Skipped", "Suspended")
    assert runs["bad"]["outcome"] == "Failed"
    assert cli("schedule:resume", "good", "bad", "--app", app).stdout == "good: resumed\nbad: was not paused\n"
    assert {task["paused"] for task in cli.json("schedule:list", "--app", app)} == {None}


def test_pause_of_all_spares_those_that_go_on_even_then(cli: Cli) -> None:
    app = cli.app(TASKS)
    done = cli("schedule:pause", "--all", "--app", app)
    assert "nightly: paused until it is resumed\n" in done.stdout
    listed = {task["name"]: task["paused"] for task in cli.json("schedule:list", "--app", app)}
    assert listed.pop("watchdog") is None
    assert None not in listed.values()
    assert cli("schedule:pause", "watchdog", "--app", app).returncode == 0
    assert cli("schedule:resume", "--all", "--app", app).returncode == 0
    assert {task["paused"] for task in cli.json("schedule:list", "--app", app)} == {None}


def test_a_pause_ends_by_itself(cli: Cli) -> None:
    app = cli.app(TASKS)
    cli("schedule:pause", "good", "--app", app, "--for", "1s")
    time.sleep(1.1)
    assert cli.json("schedule:list", "--app", app)[0]["paused"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name a task, or all of them by --all"),
        (("good", "--all"), "--all goes without names"),
        (("god",), "there is no task 'god'; did you mean good?"),
        (("good", "--until", NOON), f"--until {NOON} is past"),
        (("good", "--for", "soon"), "'soon' is not a duration; write it like 90s, 1h30m or 7d"),
    ],
)
def test_pause_refuses(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    done = cli("schedule:pause", *arguments, "--app", cli.app(TASKS))
    assert done.returncode == 2
    assert words in done.stderr


def test_output_is_json_of_whole_documents(cli: Cli) -> None:
    app = cli.app(TASKS)
    cli("schedule:run", "--app", app, "--at", NOON)
    (run,) = cli.json("schedule:history", "bad", "--app", app)
    assert run["kind"] == "TaskRun"
    assert run["status"]["output"] == "so it is\n"
    assert json.dumps(run)
