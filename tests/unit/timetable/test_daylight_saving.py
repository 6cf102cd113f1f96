"""The tables in the documentation of Argo Workflows and Quartz, and every policy around one gap and one overlap."""

from __future__ import annotations

import pytest

from tests.unit.timetable.helpers import first_ticks, local_ticks, utc
from timewright.timetable import DaylightSaving, Gap, Overlap, parse

LOS_ANGELES = "America/Los_Angeles"
NEW_YORK = "America/New_York"


# "Daylight Saving" in Argo Workflows' documentation of cron workflows.
@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("59 1 * * *", "2020-03-08", ["2020-03-08 01:59 -0800", "2020-03-09 01:59 -0700", "2020-03-10 01:59 -0700"]),
        ("0 2 * * *", "2020-03-08", ["2020-03-09 02:00 -0700", "2020-03-10 02:00 -0700", "2020-03-11 02:00 -0700"]),
        ("1 2 * * *", "2020-03-08", ["2020-03-09 02:01 -0700", "2020-03-10 02:01 -0700", "2020-03-11 02:01 -0700"]),
        ("59 1 * * *", "2020-11-01", ["2020-11-01 01:59 -0700", "2020-11-01 01:59 -0800", "2020-11-02 01:59 -0800"]),
        ("0 2 * * *", "2020-11-01", ["2020-11-01 02:00 -0800", "2020-11-02 02:00 -0800", "2020-11-03 02:00 -0800"]),
        ("1 2 * * *", "2020-11-01", ["2020-11-01 02:01 -0800", "2020-11-02 02:01 -0800", "2020-11-03 02:01 -0800"]),
    ],
)
def test_argo_workflows(expression: str, start: str, expected: list[str]) -> None:
    schedule = parse(expression, time_zone=LOS_ANGELES)
    # Local midnight is at 08:00 UTC before the gap, and at 07:00 before the overlap.
    assert local_ticks(schedule, f"{start}T{'08' if '-03-' in start else '07'}:00:00", 3) == expected


def test_quartz_may_fire_twice_in_the_overlap_and_never_in_the_gap() -> None:
    # Quartz' best practices: 1:05 may occur twice, 2:05 may never occur.
    assert local_ticks(parse("0 5 1 * * ?", time_zone=NEW_YORK), "2026-11-01T04:00:00", 2) == [
        "2026-11-01 01:05 -0400",
        "2026-11-01 01:05 -0500",
    ]
    assert local_ticks(parse("0 5 2 * * ?", time_zone=NEW_YORK), "2026-03-08T05:00:00", 1) == ["2026-03-09 02:05 -0400"]


def test_quartz_pauses_for_an_hour_when_each_local_time_counts_once() -> None:
    # Quartz' CronTrigger lesson: every 15 minutes, and an hour without a firing on the day that clocks go back.
    schedule = parse("0 */15 * * * ?", time_zone=NEW_YORK, daylight_saving=DaylightSaving(overlap=Overlap.FIRST))
    assert first_ticks(schedule, "2026-11-01T05:40:00", 2) == ["2026-11-01T05:45:00Z", "2026-11-01T07:00:00Z"]


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (Gap.SKIP, ["2026-03-07 02:30 -0500", "2026-03-09 02:30 -0400"]),
        (Gap.RUN_AFTER, ["2026-03-07 02:30 -0500", "2026-03-08 03:00 -0400", "2026-03-09 02:30 -0400"]),
    ],
)
def test_gap(gap: Gap, expected: list[str]) -> None:
    schedule = parse("30 2 * * *", time_zone=NEW_YORK, daylight_saving=DaylightSaving(gap=gap))
    assert local_ticks(schedule, "2026-03-07T05:00:00", len(expected)) == expected
    assert schedule.count(utc("2026-03-07T05:00:00"), utc("2026-03-09T12:00:00")) == len(expected)


def test_several_ticks_in_a_gap_become_one() -> None:
    schedule = parse("*/20 2,3 * * *", time_zone=NEW_YORK, daylight_saving=DaylightSaving(gap=Gap.RUN_AFTER))
    assert local_ticks(schedule, "2026-03-08T05:00:00", 4) == [
        "2026-03-08 03:00 -0400",
        "2026-03-08 03:20 -0400",
        "2026-03-08 03:40 -0400",
        "2026-03-09 02:00 -0400",
    ]


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.FIRST, ["2026-11-01 01:30 -0400", "2026-11-02 01:30 -0500"]),
        (Overlap.LAST, ["2026-11-01 01:30 -0500", "2026-11-02 01:30 -0500"]),
        (Overlap.BOTH, ["2026-11-01 01:30 -0400", "2026-11-01 01:30 -0500", "2026-11-02 01:30 -0500"]),
    ],
)
def test_overlap(overlap: Overlap, expected: list[str]) -> None:
    schedule = parse("30 1 * * *", time_zone=NEW_YORK, daylight_saving=DaylightSaving(overlap=overlap))
    assert local_ticks(schedule, "2026-11-01T04:00:00", len(expected)) == expected
    assert schedule.count(utc("2026-11-01T04:00:00"), utc("2026-11-02T12:00:00")) == len(expected)


def test_a_policy_makes_up_for_a_missing_midnight() -> None:
    schedule = parse("0 0 * * *", time_zone="Africa/Cairo", daylight_saving=DaylightSaving(gap=Gap.RUN_AFTER))
    assert local_ticks(schedule, "2026-04-23T12:00:00", 2) == ["2026-04-24 01:00 +0300", "2026-04-25 00:00 +0300"]


def test_a_day_left_out_by_its_zone() -> None:
    schedule = parse("0 12 30 12 *", time_zone="Pacific/Apia", daylight_saving=DaylightSaving())
    assert local_ticks(schedule, "2010-12-01T00:00:00", 2) == ["2010-12-30 12:00 -1000", "2012-12-30 12:00 +1400"]
