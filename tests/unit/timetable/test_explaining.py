from __future__ import annotations

import json

import pytest

from tests.unit.timetable.helpers import utc
from timewright.cli import schedule_explain
from timewright.timetable import DaylightSaving, Gap, Overlap, parse
from timewright.timetable.calendars import Dates, Excluded

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("* * * * *", "Every minute (UTC)."),
        ("*/5 * * * *", "Every 5 minutes (UTC)."),
        ("0 * * * *", "Every hour (UTC)."),
        ("0 */6 * * *", "Every 6 hours (UTC)."),
        ("30 2 * * *", "At 02:30 every day (UTC)."),
        ("0 9,17 * * 1-5", "At 09:00 and 17:00 on weekdays (UTC)."),
        ("*/15 9-17 * * MON-FRI", "Every 15 minutes from 09:00 to 17:45 on weekdays (UTC)."),
        ("5 * * * *", "At minute 5 of every hour (UTC)."),
        ("0 0 1,15 * *", "At 00:00 on the 1st and 15th (UTC)."),
        ("0 0 13 * FRI", "At 00:00 on the 13th or on Friday (UTC)."),
        ("0 0 1 1-3,7 *", "At 00:00 on the 1st in January to March and July (UTC)."),
        ("0 0 L * *", "At 00:00 on the last day of the month (UTC)."),
        ("0 0 LW,15W * *", "At 00:00 on the last weekday of the month or the weekday nearest the 15th (UTC)."),
        ("0 0 * * MON#2", "At 00:00 on the second Monday (UTC)."),
        ("0 0 ? * FRIL", "At 00:00 on the last Friday (UTC)."),
        ("*/20 * * * * *", "Every 20 seconds (UTC)."),
        ("0 0 12 1 1 ? 2027", "At 12:00 on the 1st in January in 2027 (UTC)."),
        ("@every 1h30m", "Every 1 hour and 30 minutes, counted from the last tick (UTC)."),
        ("@every 1m", "Every minute, counted from the last tick (UTC)."),
    ],
)
def test_a_sentence(expression: str, sentence: str) -> None:
    assert parse(expression).explain(utc("2026-01-01T00:00:00"), 1).sentence == sentence


def test_limits_are_told() -> None:
    schedule = parse(
        "0 9 * * *",
        windows=["08:00-18:00 on weekdays", "not between 12:00-13:00"],
        calendars=[Dates(["2026-01-06"], name="inventory")],
        excluded=Excluded.NEXT_DAY,
        start_at=utc("2026-01-02T00:00:00"),
        end_at=utc("2026-01-08T00:00:00"),
    )
    explanation = schedule.explain(utc("2026-01-01T00:00:00"), 20)
    assert explanation.sentence == (
        "At 09:00 every day, only between 08:00 and 18:00 on weekdays or not between 12:00 and 13:00, "
        "except on days of inventory (moved to the day after), from 2026-01-02 00:00:00 UTC, "
        "until 2026-01-08 00:00:00 UTC (UTC)."
    )
    assert explanation.warnings == ("ends after 2026-01-07T09:00:00+00:00",)


@pytest.mark.parametrize(
    ("expression", "zone", "policy", "start", "notes"),
    [
        ("30 1,2 * * *", NEW_YORK, None, "2026-03-08", ["runs once: 02:30 does not exist that day"]),
        ("30 2 * * *", NEW_YORK, None, "2026-03-08", ["02:30 does not exist on 2026-03-08, so it is skipped"]),
        (
            "30 2 * * *",
            NEW_YORK,
            DaylightSaving(gap=Gap.RUN_AFTER),
            "2026-03-08",
            ["runs right after the gap: 02:30 does not exist that day"],
        ),
        ("30 1 * * *", NEW_YORK, None, "2026-11-01", ["first of two: 01:30 happens twice that day"]),
        (
            "30 1 * * *",
            NEW_YORK,
            DaylightSaving(overlap=Overlap.LAST),
            "2026-11-01",
            ["runs once, the second time: 01:30 happens twice that day"],
        ),
        ("30 12 * * *", NEW_YORK, None, "2026-11-01", []),
        (
            "0 0 * * *",
            "Australia/Lord_Howe",
            None,
            "2026-10-04",
            ["Kubernetes passes over 2026-10-05 00:00 before it, thrown off by a change of the clock"],
        ),
    ],
)
def test_what_is_special_about_a_tick(
    expression: str, zone: str, policy: DaylightSaving | None, start: str, notes: list[str]
) -> None:
    schedule = parse(expression, time_zone=zone, daylight_saving=policy)
    hour = "03" if "Lord" not in zone else "13"
    day = start if "Lord" not in zone else "2026-10-03"
    start_at = utc(f"{day}T{hour}:59:00")
    assert list(schedule.explain(start_at, 1).ticks[0].notes) == notes


def test_a_moved_tick_says_where_it_comes_from() -> None:
    schedule = parse("0 9 1 * *", calendars=[Dates(["2026-03-01"])], excluded=Excluded.NEXT_DAY)
    tick = schedule.explain(utc("2026-02-20T00:00:00"), 1).ticks[0]
    assert tick.notes == ("moved from 2026-03-01, which is closed",)


@pytest.mark.parametrize(
    ("expression", "warning"),
    [
        ("* 0 * * *", "runs every minute of hour 0, 60 times: write minute 0 to run once, at 00:00"),
        ("* 0,12 * * *", "runs every minute of the hours 0 and 12: write minute 0 to run once an hour"),
        (
            "0 0 31 * *",
            "skips February, April, June, September and November, which have no 31st; "
            "L means the last day of any month",
        ),
        ("0 0 30 2,3 *", "skips February, which has no 30th; L means the last day of any month"),
        ("0 0 29 2 *", "runs in leap years only: other years have no 29 February"),
        ("0 0 29 * *", "skips February except in leap years, having no 29th; L means the last day of any month"),
        (
            "0 0 13 * 5",
            "runs when either day of month or day of week matches, not only when both do; restrict one by a window",
        ),
        ("*/7 * * * *", '"*/7" starts anew every hour: after minute 56 comes 0, 4 minutes later'),
        ("0 */5 * * *", '"*/5" starts anew every day: after hour 20 comes 0, 4 hours later'),
        ("*/90 * * * *", '"*/90" means minute 0 only: a step ends with the hour; use @every for longer delays'),
        ("0 0 *-5 * *", '"*-5" means "*": what follows the hyphen is ignored'),
    ],
)
def test_warnings(expression: str, warning: str) -> None:
    assert parse(expression).explain(utc("2026-01-01T00:00:00"), 1).warnings == (warning,)


def test_warnings_of_daylight_saving() -> None:
    def warnings(expression: str, **options: DaylightSaving) -> tuple[str, ...]:
        schedule = parse(expression, time_zone=NEW_YORK, daylight_saving=options.get("policy"))
        return schedule.explain(utc("2026-01-01T00:00:00"), 1).warnings

    assert warnings("30 1 * * *") == ("fires twice on 2026-11-01: 01:30 happens twice, clocks going back",)
    assert warnings("30 2 * * *") == ("skips 02:30 on 2026-03-08: it does not exist, clocks going forward",)
    assert warnings("30 1,2 * * *", policy=DaylightSaving(Gap.RUN_AFTER, Overlap.LAST)) == ()


def test_a_warning_of_what_kubernetes_passes_over() -> None:
    schedule = parse("30 12 * * SUN", time_zone="Asia/Beirut")
    assert schedule.explain(utc("2026-01-01T00:00:00"), 1).warnings == (
        "Kubernetes passes over 2026-03-29 12:30, thrown off by a change of the clock; "
        "a daylightSaving policy in mode: Daemon prevents it",
    )


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = schedule_explain.run(
        ["30 1 * * *", "--tz", NEW_YORK, "--from", "2026-11-01T00:00:00Z", "--count", "2", "-o", "json"]
    )
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["ticks"] == [
        {
            "utc": "2026-11-01T05:30:00Z",
            "local": "2026-11-01T01:30:00-04:00",
            "notes": ["first of two: 01:30 happens twice that day"],
        },
        {
            "utc": "2026-11-01T06:30:00Z",
            "local": "2026-11-01T01:30:00-05:00",
            "notes": ["second of two: 01:30 happens twice that day"],
        },
    ]
    assert document["warnings"] == ["fires twice on 2026-11-01: 01:30 happens twice, clocks going back"]
    assert document["native"] == {"expressions": ["30 1 * * *"], "gate": False}


def test_the_command_prints_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert schedule_explain.run(["*/20 * * * * *", "--from", "2026-01-01", "--count", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Every 20 seconds (UTC).",
        "",
        "  Thu 2026-01-01 00:00:20 +0000  2026-01-01T00:00:20Z",
        "",
        "Needs mode: Daemon, which timewright schedule:work runs; a CronJob cannot say this.",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["0 3 * * *"], 'As a CronJob: ["0 3 * * *"].'),
        (
            ["0 0 L * *"],
            "Needs mode: Daemon, which timewright schedule:work runs; "
            'a CronJob of ["0 0 28-31 * *"] would fire too often.',
        ),
        (
            ["*/30 * * * *", "--window", "09:00-17:15"],
            "Needs mode: Daemon, which timewright schedule:work runs; "
            'it would take several CronJobs, of ["0,30 9-16 * * *", "0 17 * * *"].',
        ),
    ],
)
def test_the_command_tells_in_which_mode_a_schedule_runs(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert schedule_explain.run([*arguments, "--count", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == expected


def test_the_command_explains_the_numbers_that_a_task_has_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def last_line(*arguments: str) -> str:
        assert schedule_explain.run(["H H * * *", "--count", "1", *arguments]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    assert last_line("--task", "default/report") == last_line("--task", "report") != last_line("--task", "shop/report")
    assert schedule_explain.run(["H H * * *"]) == 2
    assert "--task" in capsys.readouterr().err


def test_the_command_points_at_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert schedule_explain.run(["0 25 * * *"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-2:] == ["  0 25 * * *", "    ^^"]
    assert schedule_explain.run(["@daily", "--from", "soon"]) == 2
    assert "is not a time" in capsys.readouterr().err
