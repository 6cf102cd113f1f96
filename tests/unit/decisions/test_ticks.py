"""Runs that are lost or wait, when to ask again, and the short cut for what happens nearly always."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.decisions.periodic import HOUR, MINUTE, NOON, Periodic, active, lost, queued, recorded, rules, run_id
from timewright.decisions.policies import MissedRuns, Policies
from timewright.decisions.task_state import OpenPhase, TaskState
from timewright.decisions.ticks import Decision, End, Enqueue, Rules, Start, apply, decide, decide_at_length
from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, OnLost, Outcome, Reason, Trigger

FORBID, REPLACE, QUEUE = ConcurrencyPolicy.FORBID, ConcurrencyPolicy.REPLACE, ConcurrencyPolicy.QUEUE

# ---- lost


@pytest.mark.parametrize("phase", [OpenPhase.CLAIMED, OpenPhase.RUNNING])
def test_a_run_that_nobody_can_prove_is_lost_and_leaves_its_place(phase: OpenPhase) -> None:
    decision = decide(rules(concurrency=FORBID), recorded(NOON, lost(NOON, phase=phase)), NOON + MINUTE)

    assert (decision.lost, decision.rerun) == ((run_id(NOON),), ())
    assert (decision.start, decision.end) == ((Start(NOON + MINUTE),), ())


def test_a_lost_run_makes_room_for_one_that_waits() -> None:
    decision = decide(rules(concurrency=QUEUE), recorded(NOON, lost(NOON - 1), queued(NOON)), NOON + 1)

    assert (decision.lost, decision.dequeue) == ((run_id(NOON - 1),), (run_id(NOON),))


def test_a_run_that_is_run_again_keeps_its_place() -> None:
    again = rules(concurrency=FORBID, on_lost=OnLost.RERUN)
    decision = decide(again, recorded(NOON, lost(NOON)), NOON + MINUTE)

    assert (decision.lost, decision.rerun, decision.start) == ((), (run_id(NOON),), ())
    assert [each.reason for each in decision.end] == [Reason.OVERLAP]


def test_nothing_is_run_again_while_the_task_is_suspended() -> None:
    again = rules(suspended=True, on_lost=OnLost.RERUN)
    decision = decide(again, recorded(NOON, lost(NOON), suspended=True), NOON + 1)

    assert (decision.lost, decision.rerun) == ((run_id(NOON),), ())


def test_nothing_is_run_again_only_to_be_replaced() -> None:
    again = rules(concurrency=REPLACE, on_lost=OnLost.RERUN)
    decision = decide(again, recorded(NOON, lost(NOON)), NOON + MINUTE)

    assert (decision.lost, decision.rerun, decision.cancel) == ((run_id(NOON),), (), ())
    assert decision.start == (Start(NOON + MINUTE),)


def test_with_room_for_both_a_run_is_run_again_beside_the_newer() -> None:
    again = rules(concurrency=REPLACE, on_lost=OnLost.RERUN, max_concurrent=2)
    decision = decide(again, recorded(NOON, lost(NOON)), NOON + MINUTE)

    assert (decision.rerun, decision.start) == ((run_id(NOON),), (Start(NOON + MINUTE),))


@pytest.mark.parametrize("policy", [FORBID, QUEUE])
def test_no_more_are_run_again_at_once_than_may_be_active(policy: ConcurrencyPolicy) -> None:
    again = rules(concurrency=policy, on_lost=OnLost.RERUN)
    state = recorded(NOON + MINUTE, lost(NOON), lost(NOON + MINUTE))
    decision = decide(again, state, NOON + MINUTE + 1)
    assert (decision.lost, decision.rerun) == ((), (run_id(NOON),))

    state = apply(state, decision, run_id)
    assert decide(again, state, NOON + MINUTE + 2).rerun == (), "the first one is active"
    state = state._replace(open_runs=tuple(run for run in state.open_runs if run.run_id != run_id(NOON)))
    assert decide(again, state, NOON + MINUTE + 3).rerun == (run_id(NOON + MINUTE),)


def test_the_newest_is_run_again_where_it_would_replace_the_others() -> None:
    again = rules(concurrency=REPLACE, on_lost=OnLost.RERUN)
    decision = decide(again, recorded(NOON + MINUTE, lost(NOON), lost(NOON + MINUTE)), NOON + MINUTE + 1)
    assert (decision.lost, decision.rerun) == ((run_id(NOON),), (run_id(NOON + MINUTE),))


# ---- waiting


def test_a_tick_that_has_waited_past_its_deadline_is_missed() -> None:
    waiting = rules(HOUR, concurrency=QUEUE, starting_deadline=30)
    state = recorded(NOON, active(NOON - HOUR), queued(NOON))

    assert decide(waiting, state, NOON + 30).drop == ()
    [(run, outcome, reason, message)] = decide(waiting, state, NOON + 31).drop
    assert (run, outcome, reason) == (run_id(NOON), Outcome.MISSED, Reason.DEADLINE_EXCEEDED)
    assert "startingDeadlineSeconds, which is 30" in message


def test_one_that_has_waited_for_too_long_takes_nobodys_place() -> None:
    waiting = rules(HOUR, concurrency=QUEUE, starting_deadline=30)
    decision = decide(waiting, recorded(NOON, queued(NOON), queued(NOON + 10)), NOON + 31)

    assert (decision.dequeue, len(decision.drop)) == ((run_id(NOON + 10),), 1)


def test_a_run_by_hand_waits_for_as_long_as_it_takes() -> None:
    by_hand = queued(NOON, Trigger.MANUAL)
    waiting = rules(HOUR, concurrency=QUEUE, starting_deadline=30)
    decision = decide(waiting, recorded(NOON, active(NOON - 1), by_hand), NOON + 31)

    assert (decision.drop, decision.ask_again_at) == ((), NOON + HOUR)
    assert decide(waiting, recorded(NOON, by_hand), NOON + 31).dequeue == (by_hand.run_id,)


@pytest.mark.parametrize("concurrency", [QUEUE, REPLACE])
def test_while_a_task_is_suspended_its_ticks_wait_and_runs_by_hand_start(concurrency: ConcurrencyPolicy) -> None:
    tick, by_hand = queued(NOON - 1), queued(NOON, Trigger.MANUAL)
    task = rules(concurrency=concurrency, suspended=True, starting_deadline=30)
    state = recorded(NOON, tick, by_hand, suspended=True)

    decision = decide(task, state, NOON + 1)
    assert (decision.dequeue, decision.drop, decision.ask_again_at) == ((by_hand.run_id,), (), NOON + 30)
    assert [run for run, *_ in decide(task, state, NOON + 30).drop] == [tick.run_id]
    resumed = decide(task._replace(suspended=False), state._replace(open_runs=(tick,)), NOON + 1)
    assert resumed.dequeue == (tick.run_id,)


# ---- when to ask again


@pytest.mark.parametrize(
    ("task", "state", "now", "expected"),
    [
        (rules(), TaskState(), NOON, NOON + MINUTE),
        (rules(), recorded(), NOON + 5, NOON + MINUTE),
        (rules(), recorded(), NOON + MINUTE, NOON + 2 * MINUTE),
        (rules(), recorded(), NOON + HOUR + 1, NOON + HOUR + MINUTE),
        (rules(suspended=True), recorded(), NOON + 5, NOON + MINUTE),
        (rules(suspended=True, on_resume=MissedRunsPolicy.ALL), recorded(), NOON + 5, None),
        (Rules(Periodic(MINUTE, NOON, last=NOON), "a"), recorded(), NOON + 5, None),
        (Rules(Periodic(MINUTE, NOON, last=NOON), "a"), TaskState(), NOON, None),
        (rules(concurrency=QUEUE), recorded(NOON, active(0), queued(NOON)), NOON + 5, NOON + MINUTE),
    ],
)
def test_it_is_asked_again_at_the_next_tick(task: Rules, state: TaskState, now: int, expected: int | None) -> None:
    assert decide(task, state, now).ask_again_at == expected


def test_it_is_asked_again_when_a_tick_will_have_waited_for_too_long() -> None:
    task = rules(HOUR, concurrency=QUEUE, starting_deadline=30)

    assert decide(task, recorded(NOON, active(0), queued(NOON - 10)), NOON).ask_again_at == NOON + 21
    assert decide(task, recorded(NOON - 1, active(0)), NOON).ask_again_at == NOON + 31


# ---- recording


def test_a_recorded_decision_becomes_the_state_for_the_next() -> None:
    state = recorded(NOON, active(1), lost(2), lost(3), queued(4), queued(5, Trigger.MANUAL), queued(6))
    decision = Decision(
        NOON + 9,
        "b",
        suspended=True,
        start=(Start(NOON + 7, Trigger.CATCH_UP),),
        enqueue=(Enqueue(NOON + 8),),
        end=(End(NOON + 9, Outcome.SKIPPED, Reason.OVERLAP, ""),),
        cancel=(run_id(1),),
        dequeue=(run_id(5),),
        drop=((run_id(4), Outcome.MISSED, Reason.DEADLINE_EXCEEDED, ""),),
        lost=(run_id(2),),
        rerun=(run_id(3),),
    )

    assert apply(state, decision, run_id) == TaskState(
        NOON + 9,
        "b",
        True,
        (
            active(1),
            active(3, phase=OpenPhase.CLAIMED),
            active(5, trigger=Trigger.MANUAL, phase=OpenPhase.CLAIMED),
            queued(6),
            active(NOON + 7, trigger=Trigger.CATCH_UP, phase=OpenPhase.CLAIMED),
            queued(NOON + 8),
        ),
    )


# ---- the short cut


any_policies = st.builds(
    Policies,
    concurrency=st.sampled_from(ConcurrencyPolicy),
    max_concurrent=st.none() | st.integers(1, 2),
    starting_deadline=st.none() | st.integers(0, 90),
    missed_runs=st.builds(
        MissedRuns,
        policy=st.sampled_from(MissedRunsPolicy),
        max_runs=st.integers(0, 2),
        max_age=st.none() | st.integers(0, 90),
    ),
)


@settings(max_examples=1_000)
@given(
    ticks=st.builds(
        Periodic, st.sampled_from([1, 50, MINUTE, HOUR]), st.just(NOON), st.none() | st.just(NOON + MINUTE)
    ),
    passed=st.integers(0, 130),
    policies=any_policies,
)
def test_the_short_cut_leads_to_the_same_decision(ticks: Periodic, passed: int, policies: Policies) -> None:
    task = Rules(ticks, "a", policies)

    assert decide(task, recorded(), NOON + passed) == decide_at_length(task, recorded(), NOON + passed)


@given(
    state=st.sampled_from(
        [
            TaskState(),
            recorded(schedule_id="b"),
            recorded(suspended=True),
            recorded(NOON, active(NOON)),
            recorded(NOON, lost(NOON)),
            recorded(NOON, queued(NOON)),
        ]
    ),
    passed=st.integers(-5, 130),
    suspended=st.booleans(),
    policies=any_policies,
)
def test_the_short_cut_is_not_taken_where_it_leads_elsewhere(
    state: TaskState, passed: int, suspended: bool, policies: Policies
) -> None:
    task = Rules(Periodic(MINUTE, NOON), "a", policies, suspended)

    assert decide(task, state, NOON + passed) == decide_at_length(task, state, NOON + passed)


@pytest.mark.parametrize(("passed", "questions"), [(0, 1), (30, 1), (60, 2), (119, 2)])
def test_what_happens_nearly_always_asks_for_no_more_ticks_than_it_must(passed: int, questions: int) -> None:
    ticks = Periodic(MINUTE, NOON)
    decide(Rules(ticks, "a"), recorded(), NOON + passed)

    assert ticks.asked == questions
