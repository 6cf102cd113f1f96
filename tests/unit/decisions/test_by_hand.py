"""May a run that somebody asks for by hand start now?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.decisions.periodic import NOON, active, lost, queued, recorded, run_id
from timewright.decisions.by_hand import Refuse, StartNow, Wait, admit
from timewright.decisions.policies import MissedRuns, Policies
from timewright.decisions.task_state import OpenRun, TaskState
from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, OnLost, Outcome, Reason, Trigger

ALLOW, FORBID = ConcurrencyPolicy.ALLOW, ConcurrencyPolicy.FORBID
REPLACE, QUEUE = ConcurrencyPolicy.REPLACE, ConcurrencyPolicy.QUEUE
ACTIVE = active(NOON)


@pytest.mark.parametrize("policy", [ALLOW, FORBID, REPLACE, QUEUE])
@pytest.mark.parametrize("override", [False, True])
@pytest.mark.parametrize(
    "state",
    [TaskState(), recorded(), recorded(suspended=True), recorded(NOON, queued(NOON), suspended=True)],
    ids=["never seen", "idle", "suspended", "suspended with one that waits"],
)
def test_with_nothing_active_it_starts_under_every_policy(
    policy: ConcurrencyPolicy, override: bool, state: TaskState
) -> None:
    assert admit(Policies(policy), state, override=override) == StartNow()


@pytest.mark.parametrize(
    ("policy", "limit", "expected"),
    [
        (ALLOW, None, StartNow()),
        (ALLOW, 2, StartNow()),
        (FORBID, 2, StartNow()),
        (QUEUE, None, Wait()),
        (QUEUE, 2, StartNow()),
        (REPLACE, None, Wait(cancel=(ACTIVE.run_id,))),
        (REPLACE, 2, StartNow()),
    ],
)
def test_beside_an_active_run_it_obeys_the_policy(policy: ConcurrencyPolicy, limit: int | None, expected: Any) -> None:
    assert admit(Policies(policy, limit), recorded(NOON, ACTIVE)) == expected


@pytest.mark.parametrize(
    ("policies", "rule"),
    [(Policies(FORBID), "concurrencyPolicy is Forbid"), (Policies(ALLOW, max_concurrent=1), "maxConcurrent is 1")],
)
def test_a_refusal_names_the_active_run_the_rule_and_the_ways_out(policies: Policies, rule: str) -> None:
    assert admit(policies, recorded(NOON, ACTIVE)) == Refuse(
        Outcome.SKIPPED,
        Reason.OVERLAP,
        f"{ACTIVE.run_id} is still active, and {rule}; wait for it, or override",
    )


def test_a_full_queue_refuses_it() -> None:
    refusal = admit(Policies(QUEUE, max_queued=1), recorded(NOON, ACTIVE, queued(NOON + 1)))

    assert isinstance(refusal, Refuse)
    assert (refusal.outcome, refusal.reason) == (Outcome.SKIPPED, Reason.QUEUE_FULL)
    assert "maxQueued is 1" in refusal.message
    assert "override" in refusal.message


@pytest.mark.parametrize("policy", [ALLOW, FORBID, REPLACE, QUEUE])
def test_with_override_it_starts_beside_whatever_is_active(policy: ConcurrencyPolicy) -> None:
    policies = Policies(policy, max_concurrent=1, max_queued=0)

    assert admit(policies, recorded(NOON, ACTIVE, queued(NOON + 1)), override=True) == StartNow()


def test_under_replace_it_gives_the_place_of_one_that_waits_to_the_newer() -> None:
    verdict = admit(Policies(REPLACE), recorded(NOON, ACTIVE, queued(NOON + 1)))

    assert isinstance(verdict, Wait)
    assert [(run, outcome, reason) for run, outcome, reason, _ in verdict.drop] == [
        (run_id(NOON + 1), Outcome.CANCELLED, Reason.REPLACED)
    ]


def test_under_replace_what_is_made_up_for_goes_on_waiting() -> None:
    late = queued(NOON + 1, Trigger.CATCH_UP)
    policies = Policies(REPLACE, missed_runs=MissedRuns(MissedRunsPolicy.ALL))

    assert admit(policies, recorded(NOON, ACTIVE, late)) == Wait(cancel=(ACTIVE.run_id,))


@pytest.mark.parametrize(
    ("on_lost", "run", "starts"),
    [
        (OnLost.RECORD, lost(NOON), True),
        (OnLost.RERUN, lost(NOON), False),
        (OnLost.RECORD, ACTIVE, False),
    ],
)
def test_a_run_that_nobody_can_prove_is_in_its_way_only_if_it_will_be_run_again(
    on_lost: OnLost, run: OpenRun, starts: bool
) -> None:
    verdict = admit(Policies(FORBID, on_lost=on_lost), recorded(NOON, run))

    assert isinstance(verdict, StartNow) is starts
