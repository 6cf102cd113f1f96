"""`history` lists the runs of one task, for people and for programs."""

import json

import pytest
import yaml

from tests.unit.cli.fake_api import FakeApi
from timewright.cli.cluster import Target
from timewright.cli.exit_codes import USAGE, CommandError
from timewright.cli.history import Format, History, history
from timewright.cli.words import first_line, outcome_line, seconds_in_words
from timewright.resources.vocabulary import Outcome


@pytest.fixture
def runs(api: FakeApi) -> None:
    task = api.task()
    counters = {"succeeded": 41, "failed": 1, "skipped": 2}
    status = {"counters": counters, "nextTick": "2026-03-03T04:00:00Z", "lastSuccessTime": "2026-03-02T04:00:09Z"}
    api.put("scheduledtasks", {**task, "status": status})
    for day, outcome, reason in ((1, "Succeeded", "Completed"), (2, "Failed", "NonZeroExit")):
        api.run(
            f"nightly-{day}",
            trigger="Schedule",
            scheduledAt=f"2026-03-0{day}T04:00:00Z",
            status={
                "phase": "Finished",
                "outcome": outcome,
                "reason": reason,
                "message": "" if outcome == "Succeeded" else f"disk full {'x' * 300}\nsecond line",
                "startTime": f"2026-03-0{day}T04:00:01Z",
                "completionTime": f"2026-03-0{day}T05:05:01Z",
            },
        )
    api.run("nightly-manual-abc", trigger="Manual", status={"phase": "Pending"})
    api.run("other", task="other", trigger="Schedule", scheduledAt="2026-03-01T04:00:00Z")


@pytest.mark.usefixtures("runs")
async def test_table(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    assert await history(target, History("nightly")) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split() == ["RUN", "SCHEDULED", "STARTED", "DURATION", "TRIGGER", "OUTCOME", "REASON", "MESSAGE"]
    assert lines[1].split()[:7] == [
        *("nightly-2", "2026-03-02T04:00:00Z", "2026-03-02T04:00:01Z", "1h05m", "Schedule", "Failed", "NonZeroExit"),
    ]
    assert lines[1].endswith("disk full " + "x" * 300)
    assert lines[2].split() == ["nightly-manual-abc", "2026-03-01T04:00:07Z", "Manual", "Pending"]
    assert lines[3].split()[0] == "nightly-1"
    assert lines[4:] == [
        "",
        "nightly: 41 succeeded, 1 failed, 2 skipped since it was created; "
        "last success 2026-03-02T04:00:09Z; next 2026-03-03T04:00:00Z",
    ]


@pytest.mark.usefixtures("runs")
async def test_filter_and_limit(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    await history(target, History("nightly", outcomes=[Outcome.SUCCEEDED], limit=5))
    out = capsys.readouterr().out
    assert "nightly-1" in out
    assert "nightly-2" not in out
    await history(target, History("nightly", limit=1))
    out = capsys.readouterr().out
    assert "nightly-2" in out
    assert "nightly-1 " not in out
    assert "The latest 1 of 3 runs kept; --limit shows more." in out


@pytest.mark.usefixtures("runs")
async def test_json_and_yaml(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    await history(target, History("nightly", format=Format.JSON))
    document = json.loads(capsys.readouterr().out)
    assert [each["metadata"]["name"] for each in document["items"]] == ["nightly-2", "nightly-manual-abc", "nightly-1"]
    await history(target, History("nightly", format=Format.YAML))
    assert yaml.safe_load(capsys.readouterr().out) == document


async def test_no_runs(api: FakeApi, target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    api.task(suspend=True)
    await history(target, History("nightly"))
    assert capsys.readouterr().out == "No runs.\n\nnightly: 0 succeeded, 0 failed since it was created; suspended\n"


async def test_no_task(api: FakeApi, target: Target) -> None:
    with pytest.raises(CommandError, match="there is no ScheduledTask 'nightly'") as caught:
        await history(target, History("nightly"))
    assert caught.value.code == USAGE


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0s"), (59.9, "59s"), (200, "3m20s"), (7500, "2h05m"), (90_000, "1d1h"), (-3, "0s")]
)
def test_durations(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words


def test_words_for_a_run_that_tells_little() -> None:
    assert first_line(None) == ""
    assert first_line("\n  a \nb") == "a"
    status = {"outcome": "Skipped", "reason": "Overlap", "message": "nightly-1 is still active"}
    line = outcome_line({"metadata": {"name": "n"}, "status": status})
    assert line == "n Skipped (Overlap): nightly-1 is still active"
