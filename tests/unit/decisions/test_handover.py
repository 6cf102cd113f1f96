"""Up to where a CronJob has decided, and what the status says when ticks change hands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewright.decisions.handover import WAS_RUNNING, WAS_SUSPENDED, handed_to, native_watermark, taken_up
from timewright.decisions.observed import ObservedCronJob, ObservedJob
from timewright.decisions.ownership import DEPLOYMENT, NATIVE, Decider, present
from timewright.resources.scheduled_task import ScheduledTaskSpec, ScheduledTaskStatus
from timewright.resources.vocabulary import Mode

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NIGHT = Decider(Mode.DAEMON, "night")


def minutes(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def cron_job(last: int | None = None, was: str = WAS_RUNNING) -> ObservedCronJob:
    instant = None if last is None else minutes(last)
    return ObservedCronJob("a", "c1", 1, NOON, last_schedule_time=instant, suspended=True, handed_over=was)


def job(tick: int | None, owner: str = "c1") -> ObservedJob:
    instant = None if tick is None else minutes(tick)
    return ObservedJob(f"a-{tick}", f"uid-{tick}", NOON, controller_uid=owner, scheduled_at=instant)


@pytest.mark.parametrize(
    ("status", "found", "jobs", "expected"),
    [
        ({}, None, [], None),
        ({}, cron_job(), [], 0),
        ({}, cron_job(5), [], 5),
        ({}, cron_job(5), [job(6)], 6),
        ({}, cron_job(5), [job(3)], 5),
        ({}, cron_job(5), [job(None)], 5),
        ({}, cron_job(5), [job(9, owner="another")], 5),
        ({"watermark": minutes(7)}, cron_job(5), [], 7),
        ({"last_tick": minutes(8)}, cron_job(5), [], 8),
        ({"watermark": minutes(7)}, None, [], 7),
        ({}, cron_job(5, was=WAS_SUSPENDED), [job(6)], 60),
    ],
)
def test_up_to_where_a_cron_job_has_decided(
    status: dict[str, Any], found: ObservedCronJob | None, jobs: list[ObservedJob], expected: int | None
) -> None:
    watermark = native_watermark(ScheduledTaskStatus(**status), found, jobs, minutes(60))

    assert watermark == (None if expected is None else minutes(expected))


deciders = st.sampled_from([NATIVE, DEPLOYMENT, NIGHT, Decider(Mode.DAEMON, "default")])
specs = st.sampled_from([ScheduledTaskSpec(), ScheduledTaskSpec(mode=Mode.DAEMON, command=["true"])])


@given(st.lists(deciders, min_size=1, max_size=4), specs, st.integers(1, 3))
def test_who_it_was_handed_to_last_decides(turns: list[Decider], spec: ScheduledTaskSpec, generation: int) -> None:
    status = ScheduledTaskStatus()
    for each in turns:
        status = handed_to(status, each, NOON, "a-work")

    assert present(spec, status, generation) == turns[-1]


def test_what_a_daemon_kept_goes_only_with_its_own_watermark() -> None:
    status = ScheduledTaskStatus.model_validate({"watermark": NOON, "decided": {"scheduleId": "x"}})

    assert handed_to(status, NATIVE, NOON, "a-work").decided is not None
    assert handed_to(status, NATIVE, minutes(1), "a-work").decided is None
    assert taken_up(status).watermark is None
    assert taken_up(status).decided is None


def test_the_next_ticks_of_a_cron_job_are_not_told_of_a_daemon() -> None:
    status = ScheduledTaskStatus(next_tick=NOON, next_ticks=[NOON])

    assert handed_to(status, NIGHT, NOON, "a-work").next_ticks == []
