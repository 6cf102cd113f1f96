"""From the words of a manifest to policies."""

from __future__ import annotations

from typing import Any

import pytest

from timewright.decisions.policies import MissedRuns, NeededLock, Policies, Retry
from timewright.decisions.policies_of_spec import policies_of
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import ConcurrencyPolicy, LockPolicy, MissedRunsPolicy, OnLost


def policies(**spec: Any) -> Policies:
    return policies_of(ScheduledTaskSpec.model_validate({"command": ["true"], "schedule": "@daily", **spec}))


def test_a_spec_that_says_nothing_has_the_default_policies() -> None:
    assert policies() == Policies()


def test_everything_that_a_spec_says_arrives() -> None:
    assert policies(
        concurrencyPolicy="Queue",
        maxConcurrent=3,
        maxQueued=0,
        startingDeadlineSeconds=0,
        missedRuns={"policy": "All", "maxRuns": 4, "maxAgeSeconds": 3600},
        onResume="Latest",
        onScheduleChange="All",
        onLost="Rerun",
        retry={"limit": 2, "backoffSeconds": 5, "maxBackoffSeconds": 20},
        locks=["till", "office"],
        lockPolicy="Skip",
    ) == Policies(
        concurrency=ConcurrencyPolicy.QUEUE,
        max_concurrent=3,
        max_queued=0,
        starting_deadline=0,
        missed_runs=MissedRuns(MissedRunsPolicy.ALL, 4, 3600),
        on_resume=MissedRunsPolicy.LATEST,
        on_schedule_change=MissedRunsPolicy.ALL,
        on_lost=OnLost.RERUN,
        retry=Retry(2, 5, 20),
        locks=(NeededLock("office"), NeededLock("till")),
        lock_policy=LockPolicy.SKIP,
    )


def test_how_many_may_hold_a_lock_is_told_by_others() -> None:
    spec = ScheduledTaskSpec.model_validate({"command": ["true"], "schedule": "@daily", "locks": ["till", "office"]})
    assert policies_of(spec, {"till": 3}).locks == (NeededLock("office", 1), NeededLock("till", 3))


def test_what_is_left_out_within_a_policy_has_its_default() -> None:
    assert policies(missedRuns={}).missed_runs == MissedRuns()
    assert policies(retry={"limit": 1}).retry == Retry(1)


@pytest.mark.parametrize(("backoff", "longest"), [(5, 600), (600, 600), (3600, 3600)])
def test_a_first_wait_is_never_cut_short_by_a_limit_that_nobody_wrote(backoff: int, longest: int) -> None:
    assert policies(retry={"limit": 1, "backoffSeconds": backoff}).retry.max_backoff == longest
