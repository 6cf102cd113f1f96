"""Which TaskRuns and Jobs go, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.decisions.seen import NOON, at, done_job, failed_job, finished_run, job, run
from timewright.decisions.observed import ObservedJob, ObservedRun
from timewright.decisions.retention import expired_jobs, expired_runs, next_expiry
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import Outcome


def limits(**fields: Any) -> ScheduledTaskSpec:
    return ScheduledTaskSpec.model_validate(fields)


outcomes = st.none() | st.sampled_from(Outcome)
some_runs = st.lists(st.tuples(outcomes, st.integers(-300, 0), st.booleans(), st.booleans()), max_size=12).map(
    lambda rows: [
        run(f"run-{number}", outcome=outcome, completion_time=at(minutes) if outcome else None, deleting=deleting)
        for number, (outcome, minutes, deleting, _) in enumerate(rows)
    ]
)
some_limits = st.builds(
    lambda succeeded, failed, age: limits(
        successfulRunsHistoryLimit=succeeded,
        failedRunsHistoryLimit=failed,
        **({"runsHistoryMaxAgeSeconds": age} if age else {}),
    ),
    st.integers(0, 5),
    st.integers(0, 5),
    st.none() | st.integers(60, 10_000),
)


@given(some_runs, some_limits, st.sets(st.integers(0, 11)))
def test_runs_are_kept_by_count_and_age_and_never_go_uncounted(
    runs: list[ObservedRun], spec: ScheduledTaskSpec, numbers: set[int]
) -> None:
    counted = {f"run-{number}" for number in numbers}

    gone = expired_runs(runs, counted, spec, NOON)

    names = {each.name for each in gone}
    assert len(names) == len(gone)
    assert all(each.finished and not each.deleting and each.name in counted for each in gone)
    kept = [each for each in runs if each.finished and not each.deleting and each.name in counted - names]
    succeeded = [each for each in kept if each.outcome is Outcome.SUCCEEDED]
    others = [each for each in kept if each.outcome is not Outcome.SUCCEEDED]
    assert len(succeeded) <= spec.successful_runs_history_limit
    assert len(others) <= spec.failed_runs_history_limit
    age = spec.runs_history_max_age_seconds
    if age is not None:
        assert all(NOON - (each.completion_time or NOON) <= timedelta(seconds=age) for each in kept)
    for group, limit in ((succeeded, spec.successful_runs_history_limit), (others, spec.failed_runs_history_limit)):
        alike = [each for each in gone if (each.outcome is Outcome.SUCCEEDED) == (group is succeeded)]
        for each in alike:
            finish = each.completion_time
            assert finish is not None
            too_old = age is not None and NOON - finish > timedelta(seconds=age)
            assert too_old or len(group) == limit
            assert too_old or all(finish <= (other.completion_time or NOON) for other in group)


@given(some_runs, some_limits)
def test_which_runs_go_does_not_depend_on_the_order_they_are_seen_in(
    runs: list[ObservedRun], spec: ScheduledTaskSpec
) -> None:
    counted = {each.name for each in runs}

    forwards = {each.name for each in expired_runs(runs, counted, spec, NOON)}
    backwards = {each.name for each in expired_runs(list(reversed(runs)), counted, spec, NOON)}

    assert forwards == backwards


def test_a_limit_that_was_lowered_by_thousands_is_met_at_once() -> None:
    runs = [finished_run(f"run-{number}", minutes=number) for number in range(-6000, 0)]
    spec = limits(successfulRunsHistoryLimit=0, runsHistoryMaxAgeSeconds=60)

    assert len(expired_runs(runs, {each.name for each in runs}, spec, NOON)) == 6000


def test_the_longest_age_that_may_be_asked_for_keeps_everything() -> None:
    spec = limits(runsHistoryMaxAgeSeconds=2147483647)

    assert expired_runs([finished_run("a", minutes=-1)], {"a"}, spec, NOON) == []
    assert next_expiry([finished_run("a", minutes=-1)], spec) is not None


def test_the_next_expiry_is_that_of_the_oldest_record() -> None:
    runs = [finished_run("old", minutes=-30), finished_run("new", minutes=-1), run("active")]

    assert next_expiry(runs, limits(runsHistoryMaxAgeSeconds=3600)) == at(30)
    assert next_expiry(runs, limits()) is None
    assert next_expiry([run("active")], limits(runsHistoryMaxAgeSeconds=3600)) is None


some_jobs = st.lists(
    st.tuples(st.sampled_from([None, True, False]), st.integers(-60, 0), st.booleans(), st.booleans()), max_size=12
).map(
    lambda rows: [
        job(f"job-{number}", succeeded=succeeded, start_time=at(minutes), deleting=deleting, deleted=deleted)
        for number, (succeeded, minutes, deleting, deleted) in enumerate(rows)
    ]
)


@given(some_jobs, st.integers(0, 4), st.integers(0, 4), st.sets(st.integers(0, 11)))
def test_only_recorded_jobs_beyond_the_users_own_limits_go_and_the_newest_stay(
    jobs: list[ObservedJob], succeeded: int, failed: int, numbers: set[int]
) -> None:
    recorded = {f"job-{number}" for number in numbers}
    spec = limits(successfulJobsHistoryLimit=succeeded, failedJobsHistoryLimit=failed)

    gone = expired_jobs(jobs, recorded, spec)

    assert all(each.finished and each.name in recorded and not (each.deleted or each.deleting) for each in gone)
    there = [each for each in jobs if each.finished and not (each.deleted or each.deleting)]
    for result, limit in ((True, succeeded), (False, failed)):
        alike = [each for each in there if each.succeeded is result]
        newest = sorted(alike, key=lambda each: (each.start_time or NOON, each.name))[-limit:] if limit else []
        assert not {each.name for each in newest} & {each.name for each in gone}
        kept_and_recorded = [each for each in alike if each not in gone and each.name in recorded]
        assert len(kept_and_recorded) <= limit


@pytest.mark.parametrize(("succeeded", "failed", "gone"), [(1, 1, 0), (0, 1, 1), (1, 0, 1), (0, 0, 2)])
def test_each_kind_of_job_has_its_own_limit(succeeded: int, failed: int, gone: int) -> None:
    jobs = [done_job(name="good"), failed_job(name="bad")]
    spec = limits(successfulJobsHistoryLimit=succeeded, failedJobsHistoryLimit=failed)

    assert len(expired_jobs(jobs, {"good", "bad"}, spec)) == gone
