"""What a native CronJob is made of, what is refused because it cannot be one, and what holds outside of a cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from timewright.decisions.acceptance import Accepted, Refused, accept
from timewright.timetable import Dialect, parse
from timewright.timetable.spread import seed_of_task

SEED = seed_of_task("shop", "backup")
COMMAND: dict[str, Any] = {"schedule": "0 3 * * *", "command": ["true"]}
BERLIN = {"timeZone": "Europe/Berlin"}
NEW_YORK = {"timeZone": "America/New_York"}
REPEATED = {"overlap": "First", "gap": "RunAfter"}
CHRISTMAS = [{"dates": ["2026-12-25", "2026-12-26"]}]

# what is added to COMMAND, and field and value that the message has to name
BEYOND_NATIVE: list[tuple[dict[str, Any], list[str]]] = [
    ({"schedule": "30 0 3 * * *"}, ["spec.schedule", "30 0 3 * * *", "second"]),
    ({"schedule": "0 0 L * *"}, ["spec.schedule", "'0 0 L * *'", "0 0 28-31 * *"]),
    ({"schedule": "0 0 12 * * ? 2030"}, ["spec.schedule", "'0 0 12 * * ? 2030'", "0 12 * * *"]),
    ({"schedule": None, "schedules": ["0 3 * * *", "0 4 * * *"]}, ["spec.schedules", "2 expressions"]),
    ({"schedule": None, "schedules": ["0 0 * * MON#2"]}, ["spec.schedules", "'0 0 * * MON#2'", "0 0 * * 1"]),
    ({"schedule": "*/30 * * * *", "windows": ["09:00-17:15"]}, ["spec.windows", "09:00-17:15", "2 expressions"]),
    ({"schedule": "0 9 1 * *", "windows": ["9:00-17:00 on mon"]}, ["spec.windows", "on mon", "0 9 1 * *"]),
    ({"schedule": "30 2 * * *", **NEW_YORK, "daylightSaving": REPEATED}, ["spec.daylightSaving", "RunAfter", "0 3"]),
    ({"calendars": CHRISTMAS}, ["spec.calendars", "closed days"]),
    ({"startAt": "2026-12-01T00:00:00Z"}, ["spec.startAt", "2026-12-01T00:00:00Z"]),
    ({"endAt": "2026-12-01T00:00:00+01:00"}, ["spec.endAt", "2026-11-30T23:00:00Z"]),
    ({"concurrencyPolicy": "Queue"}, ["spec.concurrencyPolicy", "Queue"]),
    ({"maxConcurrent": 2}, ["spec.maxConcurrent", "2"]),
    ({"locks": ["warehouse", "till"]}, ["spec.locks", "warehouse, till", "waits for no other"]),
    ({"locks": ["warehouse"], "lockPolicy": "Skip"}, ["spec.locks", "warehouse"]),
    ({"jitterSeconds": 30}, ["spec.jitterSeconds", "30"]),
    ({"missedRuns": {"policy": "All"}}, ["spec.missedRuns", "All"]),
    ({"missedRuns": {"maxAgeSeconds": 60}}, ["spec.missedRuns", "60"]),
    ({"onResume": "Skip"}, ["spec.onResume", "Skip"]),
    ({"onScheduleChange": "Latest"}, ["spec.onScheduleChange", "Latest"]),
    ({"onLost": "Rerun"}, ["spec.onLost", "Rerun"]),
]
IDS = [" ".join(told)[:60] for _, told in BEYOND_NATIVE]


def spec_of(change: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**COMMAND, **change}.items() if value is not None}


@pytest.mark.parametrize(("change", "told"), BEYOND_NATIVE, ids=IDS)
def test_what_a_native_cron_job_cannot_do_is_refused_with_the_remedy(change: dict[str, Any], told: list[str]) -> None:
    verdict = accept(spec_of(change), seed=SEED)

    assert isinstance(verdict, Refused)
    assert verdict.reason == "NeedsDaemon"
    for each in [*told, "use mode: Daemon"]:
        assert each in verdict.message


@pytest.mark.parametrize("mode", ["CronJob", "Daemon"])
@pytest.mark.parametrize(("change", "told"), BEYOND_NATIVE, ids=IDS)
def test_outside_of_a_cluster_all_of_it_is_accepted_in_either_mode(
    change: dict[str, Any], told: list[str], mode: str
) -> None:
    verdict = accept(spec_of({**change, "mode": mode}), seed=SEED, native=False)

    assert isinstance(verdict, Accepted), told
    assert verdict.native is None


@pytest.mark.parametrize(
    ("change", "expression", "time_zone"),
    [
        ({}, "0 3 * * *", None),
        ({"schedule": "@daily", **BERLIN}, "@daily", "Europe/Berlin"),
        ({"schedule": "@every 90m"}, "@every 90m", None),
        ({"schedule": None, "schedules": ["0 3 * * *"]}, "0 3 * * *", None),
        ({"schedule": "0 */5 * * * *"}, "*/5 * * * *", "UTC"),
        ({"schedule": "0 0 L 1,3 *", **BERLIN}, "0 0 31 1,3 *", "Europe/Berlin"),
        ({"schedule": "0 * * * *", "windows": ["09:00-17:30 on weekdays"]}, "0 9-17 * * 1-5", "UTC"),
        ({"schedule": "30 5 * * *", **NEW_YORK, "daylightSaving": REPEATED}, "30 5 * * *", "America/New_York"),
        ({"missedRuns": {"policy": "Latest"}}, "0 3 * * *", None),
        ({"onLost": "Record"}, "0 3 * * *", None),
        ({"windows": []}, "0 3 * * *", None),
    ],
)
def test_what_native_cron_says_exactly_becomes_a_cron_job(
    change: dict[str, Any], expression: str, time_zone: str | None
) -> None:
    verdict = accept(spec_of(change), seed=SEED)

    assert isinstance(verdict, Accepted), verdict
    assert verdict.native is not None
    assert (verdict.native.expression, verdict.native.time_zone) == (expression, time_zone)


@pytest.mark.parametrize("expression", ["H H * * *", "H/15 * * * *", "H(0-29) 3 H * *", "H H(1-4) * * MON-FRI"])
def test_a_spread_schedule_fires_in_a_cluster_when_it_does_outside(expression: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    outside = accept(spec_of({"schedule": expression, **BERLIN}), seed=SEED, native=False)
    inside = accept(spec_of({"schedule": expression, **BERLIN}), seed=SEED)

    assert isinstance(inside, Accepted)
    assert isinstance(outside, Accepted)
    assert inside.native is not None
    native = parse(inside.native.expression, time_zone=inside.native.time_zone, dialect=Dialect.NATIVE)
    end = start + timedelta(days=400)
    assert list(native.between(start, end)) == list(outside.schedule.between(start, end))


def test_tasks_of_other_names_are_spread_elsewhere() -> None:
    natives = set()
    for name in ("a", "b", "c", "d"):
        verdict = accept(spec_of({"schedule": "H H * * *"}), seed=seed_of_task("shop", name))
        assert isinstance(verdict, Accepted)
        natives.add(verdict.native)

    assert len(natives) == 4


@pytest.mark.parametrize(("change", "told"), BEYOND_NATIVE, ids=IDS)
def test_a_daemon_takes_what_a_cron_job_cannot(change: dict[str, Any], told: list[str]) -> None:
    verdict = accept(spec_of({**change, "mode": "Daemon"}), seed=SEED)

    assert isinstance(verdict, Accepted)
    assert verdict.native is None


@pytest.mark.parametrize("wrong", [{"schedule": "61 * * * *"}, {"timeZone": "Mars/Base"}, {"schedule": "0 0 31 2 *"}])
def test_a_daemon_takes_no_schedule_that_is_wrong(wrong: dict[str, Any]) -> None:
    assert isinstance(accept({**spec_of(wrong), "mode": "Daemon"}, seed=SEED), Refused)


JOB: dict[str, Any] = {"schedule": "@daily", "jobTemplate": {}}
APP: dict[str, Any] = {"app": {"run": ["a"]}, "image": "shop"}


@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        (JOB, "jobTemplate.spec.backoffLimit"),
        (APP, "spec.backoffLimit"),
        ({**COMMAND, "image": "busybox"}, "leave image out"),
    ],
)
def test_attempts_that_no_runner_would_make_are_refused(spec: dict[str, Any], remedy: str) -> None:
    verdict = accept({**spec, "retry": {"limit": 2}}, seed=SEED)

    assert isinstance(verdict, Refused)
    for each in ("spec.retry", "2", remedy):
        assert each in verdict.message


@pytest.mark.parametrize(
    "spec",
    [
        COMMAND,
        {"schedule": "@daily", "http": {"url": "https://a.example"}},
        {"schedule": "@daily", "image": "shop", "python": {"call": "shop:main"}},
    ],
)
def test_attempts_of_the_runner_are_accepted(spec: dict[str, Any]) -> None:
    assert isinstance(accept({**spec, "retry": {"limit": 2}}, seed=SEED), Accepted)


# wrong wherever it runs: what is added to COMMAND, reason, and what the message has to name
WRONG: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"schedules": ["@daily"]}, "InvalidSchedule", ["spec.schedules", "schedule", "keep one"]),
    ({"schedule": None, "schedules": []}, "InvalidSpec", ["spec.schedules", "at least 1 item"]),
    ({"schedule": None, "schedules": ["61 * * * *"]}, "InvalidSchedule", ["spec.schedules", "61"]),
    ({"windows": ["09:00-25:00"]}, "InvalidSchedule", ["spec.windows", "'09:00-25:00'", "25:00", "write it like"]),
    ({"windows": ["04:00-05:00"]}, "NeverFires", ["spec.schedule", "0 3 * * *", "compare"]),
    ({"excluded": "NextDay"}, "InvalidSpec", ["spec.excluded", "NextDay", "add calendars"]),
    ({"maxQueued": 3}, "InvalidSpec", ["spec.maxQueued", "3", "Allow", "Queue"]),
    ({"lockPolicy": "Skip"}, "InvalidSpec", ["spec.lockPolicy", "Skip", "name them in locks"]),
    ({"locks": ["till", "till"]}, "InvalidSpec", ["spec.locks", "till is named twice"]),
    ({"locks": []}, "InvalidSpec", ["spec.locks", "at least 1 item"]),
    ({"locks": ["Till"]}, "InvalidSpec", ["spec.locks.0", "'Till'"]),
    ({"jitterSeconds": 3601}, "InvalidSpec", ["spec.jitterSeconds", "3601"]),
    ({"retry": {}}, "InvalidSpec", ["spec.retry.limit", "required"]),
    ({"retry": {"limit": 1, "backoffSeconds": 9, "maxBackoffSeconds": 5}}, "InvalidSpec", ["maxBackoffSeconds", "9"]),
    ({"daylightSaving": {"gap": "Run"}}, "InvalidSpec", ["spec.daylightSaving.gap", "'Run'", "RunAfter"]),
    ({"startAt": "soon"}, "InvalidSpec", ["spec.startAt", "'soon'"]),
]
WRONG_OUTSIDE: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"schedule": None, "schedules": ["@daily", "61 * * * *"]}, "InvalidSchedule", ["spec.schedules", "61"]),
    ({"calendars": [{}]}, "InvalidSpec", ["spec.calendars[0]", "found none"]),
    ({"calendars": [{"dates": ["2026-02-30"]}]}, "InvalidSpec", ["spec.calendars.0.dates.0", "2026-02-30"]),
    ({"calendars": [{"dates": ["20261225"]}]}, "InvalidSpec", ["20261225", "written like 2026-12-25"]),
    ({"calendars": [{"dates": [20261225]}]}, "InvalidSpec", ["20261225", "written like 2026-12-25"]),
    (
        {"calendars": [{"dates": ["2026-12-25"], "iCalendar": "BEGIN:VCALENDAR"}]},
        "InvalidSpec",
        ["spec.calendars[0]", "found dates and iCalendar", "an item of its own"],
    ),
    ({"calendars": [{"holidays": {"country": "XX"}}]}, "InvalidSchedule", ["spec.calendars", "'XX'", "ISO 3166"]),
    ({"calendars": [{"iCalendar": "closed on Sundays"}]}, "InvalidSchedule", ["spec.calendars", "BEGIN:VCALENDAR"]),
    (
        {"startAt": "2026-12-02T00:00:00Z", "endAt": "2026-12-01T00:00:00Z"},
        "InvalidSchedule",
        ["spec.endAt", "before startAt"],
    ),
]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(("change", "reason", "told"), WRONG, ids=[" ".join(told) for _, _, told in WRONG])
def test_what_is_wrong_is_refused_everywhere(
    change: dict[str, Any], reason: str, told: list[str], native: bool
) -> None:
    _check_refusal(accept(spec_of(change), seed=SEED, native=native), reason, told)


@pytest.mark.parametrize(
    ("change", "reason", "told"), WRONG_OUTSIDE, ids=[" ".join(told) for _, _, told in WRONG_OUTSIDE]
)
def test_what_is_wrong_with_limits_is_refused(change: dict[str, Any], reason: str, told: list[str]) -> None:
    _check_refusal(accept(spec_of(change), seed=SEED, native=False), reason, told)


def _check_refusal(verdict: Accepted | Refused, reason: str, told: list[str]) -> None:
    assert isinstance(verdict, Refused)
    assert verdict.reason == reason, verdict.message
    for each in told:
        assert each in verdict.message


def test_h_needs_to_know_whose_it_is() -> None:
    verdict = accept(spec_of({"schedule": "H H * * *"}))

    assert isinstance(verdict, Refused)
    assert "identity of a task" in verdict.message
