"""What becomes of a run for which there is no room?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.decisions.periodic import HOUR, MINUTE, NOON, active, queued, recorded, rules, run_id
from timewright.decisions.policies import MissedRuns
from timewright.decisions.task_state import OpenPhase, OpenRun
from timewright.decisions.ticks import Decision, Enqueue, Start, decide
from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, Outcome, Reason, Trigger

ALLOW, FORBID = ConcurrencyPolicy.ALLOW, ConcurrencyPolicy.FORBID
REPLACE, QUEUE = ConcurrencyPolicy.REPLACE, ConcurrencyPolicy.QUEUE

TICK = NOON + MINUTE
EARLIER = active(NOON)
MANUAL = OpenRun("by-hand", NOON - 10, Trigger.MANUAL)
ALL: dict[str, Any] = {"missed_runs": MissedRuns(MissedRunsPolicy.ALL)}


def at_the_tick(policy: ConcurrencyPolicy, *runs: OpenRun, **policies: Any) -> Decision:
    """Decide on one tick beside the runs that are open."""
    return decide(rules(concurrency=policy, **policies), recorded(NOON, *runs), TICK)


def dropped(decision: Decision) -> list[tuple[str, Outcome, Reason]]:
    return [(run, outcome, reason) for run, outcome, reason, _ in decision.drop]


@pytest.mark.parametrize("policy", [ALLOW, FORBID, REPLACE, QUEUE])
def test_with_nothing_active_a_tick_starts_under_every_policy(policy: ConcurrencyPolicy) -> None:
    assert at_the_tick(policy) == Decision(TICK, "a", suspended=False, start=(Start(TICK),), ask_again_at=TICK + MINUTE)


@pytest.mark.parametrize("phase", [OpenPhase.CLAIMED, OpenPhase.RUNNING])
@pytest.mark.parametrize(
    ("policy", "limit", "others", "starts"),
    [
        (ALLOW, None, 50, True),
        (ALLOW, 2, 1, True),
        (ALLOW, 2, 2, False),
        (FORBID, None, 1, False),
        (FORBID, 2, 1, True),
        (FORBID, 2, 2, False),
        (QUEUE, None, 1, False),
        (QUEUE, 3, 2, True),
        (QUEUE, 3, 3, False),
        (REPLACE, None, 1, False),
        (REPLACE, 2, 1, True),
        (REPLACE, 2, 2, False),
    ],
)
def test_a_tick_starts_at_once_only_where_there_is_room(
    phase: OpenPhase, policy: ConcurrencyPolicy, limit: int | None, others: int, starts: bool
) -> None:
    runs = [active(NOON - each, phase=phase) for each in range(others)]

    assert bool(at_the_tick(policy, *runs, max_concurrent=limit).start) is starts


@pytest.mark.parametrize(
    ("policy", "limit", "told"),
    [
        (FORBID, None, f"{EARLIER.run_id} is still active, and concurrencyPolicy is Forbid"),
        (FORBID, 1, f"{EARLIER.run_id} is still active, and maxConcurrent is 1"),
        (ALLOW, 1, f"{EARLIER.run_id} is still active, and maxConcurrent is 1"),
    ],
)
def test_a_skipped_tick_names_the_run_and_the_rule_in_its_way(
    policy: ConcurrencyPolicy, limit: int | None, told: str
) -> None:
    decision = at_the_tick(policy, EARLIER, max_concurrent=limit)

    [end] = decision.end
    assert (end.outcome, end.reason, end.message) == (Outcome.SKIPPED, Reason.OVERLAP, told)
    assert (decision.start, decision.enqueue, decision.cancel) == ((), (), ())


def test_of_many_active_runs_a_few_are_named() -> None:
    runs = [active(NOON - each * MINUTE, f"run-{each}") for each in range(5)]

    [end] = at_the_tick(FORBID, *runs, max_concurrent=5).end
    assert end.message == "run-4, run-3, run-2 and 2 more are still active, and maxConcurrent is 5"


def test_of_two_ticks_found_together_forbid_starts_the_first() -> None:
    skip: dict[str, Any] = {"missed_runs": MissedRuns(MissedRunsPolicy.SKIP)}
    decision = decide(rules(20, concurrency=FORBID, **skip), recorded(NOON + 20), NOON + 65)

    assert decision.start == (Start(NOON + 40),)
    assert [(each.scheduled_at, each.reason) for each in decision.end] == [(NOON + 60, Reason.OVERLAP)]


# ---- Queue


def test_queue_lets_ticks_wait_up_to_its_length() -> None:
    first = queued(NOON - MINUTE)

    assert at_the_tick(QUEUE, EARLIER, first, max_queued=2).enqueue == (Enqueue(TICK),)
    [end] = at_the_tick(QUEUE, EARLIER, first, max_queued=1).end
    assert (end.outcome, end.reason) == (Outcome.SKIPPED, Reason.QUEUE_FULL)
    assert end.message == "1 runs wait already, and maxQueued is 1"


def test_those_that_wait_start_in_the_order_of_their_ticks() -> None:
    waiting = [queued(NOON - 2), queued(NOON - 3), queued(NOON - 1)]

    assert at_the_tick(QUEUE, *waiting, max_concurrent=2).dequeue == (run_id(NOON - 3), run_id(NOON - 2))
    assert at_the_tick(QUEUE, *waiting, max_concurrent=2).enqueue == (Enqueue(TICK),)
    assert at_the_tick(QUEUE, *waiting, max_concurrent=4).start == (Start(TICK),)


def test_a_run_that_waits_starts_as_soon_as_it_is_asked_after_another_ended() -> None:
    decision = decide(rules(concurrency=QUEUE), recorded(NOON, queued(NOON)), NOON + 7)

    assert (decision.dequeue, decision.start) == ((run_id(NOON),), ())


@pytest.mark.parametrize("policy", [ALLOW, FORBID])
def test_what_waits_goes_first_though_nothing_else_may_wait(policy: ConcurrencyPolicy) -> None:
    decision = at_the_tick(policy, queued(NOON), max_concurrent=1)

    assert decision.dequeue == (run_id(NOON),)
    [end] = decision.end
    assert end.message == "others go first, and maxConcurrent is 1"


# ---- Replace


def test_replace_ends_the_active_run_and_starts_when_it_has_ended() -> None:
    decision = at_the_tick(REPLACE, EARLIER)
    assert (decision.cancel, decision.enqueue, decision.start) == ((EARLIER.run_id,), (Enqueue(TICK),), ())

    meanwhile = decide(rules(concurrency=REPLACE), recorded(TICK, EARLIER, queued(TICK)), TICK + 5)
    assert meanwhile == Decision(TICK + 5, "a", suspended=False, ask_again_at=TICK + MINUTE)

    afterwards = decide(rules(concurrency=REPLACE), recorded(TICK, queued(TICK)), TICK + 6)
    assert (afterwards.dequeue, afterwards.drop) == ((run_id(TICK),), ())


def test_a_newer_tick_takes_the_place_of_one_that_waits_to_replace() -> None:
    decision = at_the_tick(REPLACE, active(NOON - MINUTE), queued(NOON))

    assert dropped(decision) == [(run_id(NOON), Outcome.CANCELLED, Reason.REPLACED)]
    assert decision.enqueue == (Enqueue(TICK),)
    assert decision.cancel == (run_id(NOON - MINUTE),), "it was asked to end already, and asking again does no harm"


def test_the_newer_tick_starts_where_there_is_room_by_now() -> None:
    decision = at_the_tick(REPLACE, queued(NOON))

    assert dropped(decision) == [(run_id(NOON), Outcome.CANCELLED, Reason.REPLACED)]
    assert (decision.start, decision.dequeue) == ((Start(TICK),), ())


def test_replace_keeps_the_newest_of_as_many_as_may_run() -> None:
    older, newer = active(NOON - 2), active(NOON - 1)

    assert at_the_tick(REPLACE, newer, older, max_concurrent=2).cancel == (older.run_id,)
    waiting = at_the_tick(REPLACE, newer, older, queued(NOON), max_concurrent=2)
    assert (waiting.cancel, waiting.drop) == ((older.run_id, newer.run_id), ())
    assert waiting.enqueue == (Enqueue(TICK),)


def test_a_run_by_hand_is_replaced_like_any_other() -> None:
    assert at_the_tick(REPLACE, MANUAL).cancel == (MANUAL.run_id,)


def test_of_two_ticks_found_together_replace_starts_the_second() -> None:
    skip: dict[str, Any] = {"missed_runs": MissedRuns(MissedRunsPolicy.SKIP)}
    decision = decide(rules(20, concurrency=REPLACE, **skip), recorded(NOON + 20), NOON + 65)

    assert decision.start == (Start(NOON + 60),)
    assert [(each.scheduled_at, each.outcome, each.reason) for each in decision.end] == [
        (NOON + 40, Outcome.CANCELLED, Reason.REPLACED)
    ]


# ---- what All makes up for


@pytest.mark.parametrize("policy", [ALLOW, FORBID, QUEUE])
def test_what_is_made_up_for_waits_where_there_is_no_room_and_goes_first(policy: ConcurrencyPolicy) -> None:
    decision = decide(
        rules(concurrency=policy, max_concurrent=1, max_queued=0, **ALL), recorded(NOON), NOON + 3 * MINUTE
    )

    assert decision.start == (Start(NOON + MINUTE, Trigger.CATCH_UP),)
    assert decision.enqueue == (Enqueue(NOON + 2 * MINUTE, Trigger.CATCH_UP),)
    reason = Reason.QUEUE_FULL if policy is QUEUE else Reason.OVERLAP
    assert [(each.scheduled_at, each.reason) for each in decision.end] == [(NOON + 3 * MINUTE, reason)]


def test_ticks_on_time_queue_up_behind_what_is_made_up_for() -> None:
    decision = decide(rules(concurrency=QUEUE, **ALL), recorded(NOON, active(NOON)), NOON + 2 * MINUTE)

    assert decision.enqueue == (Enqueue(NOON + MINUTE, Trigger.CATCH_UP), Enqueue(NOON + 2 * MINUTE))


def test_under_replace_what_is_made_up_for_uses_the_time_between_ticks() -> None:
    found = decide(rules(concurrency=REPLACE, **ALL), recorded(NOON), NOON + 3 * MINUTE)
    assert found.start == (Start(NOON + 3 * MINUTE),)
    assert [each.scheduled_at for each in found.enqueue] == [NOON + MINUTE, NOON + 2 * MINUTE]

    late = [queued(NOON + each * MINUTE, Trigger.CATCH_UP) for each in (1, 2)]
    between = decide(rules(concurrency=REPLACE, **ALL), recorded(NOON + 3 * MINUTE, *late), NOON + 200)
    assert between.dequeue == (run_id(NOON + MINUTE),)

    running = active(NOON + MINUTE, trigger=Trigger.CATCH_UP)
    ticking = decide(rules(concurrency=REPLACE, **ALL), recorded(NOON + 3 * MINUTE, running, late[1]), NOON + 240)
    assert (ticking.cancel, ticking.enqueue, ticking.drop) == ((running.run_id,), (Enqueue(NOON + 240),), ())

    ended = decide(rules(concurrency=REPLACE, **ALL), recorded(NOON + 240, late[1], queued(NOON + 240)), NOON + 245)
    assert ended.dequeue == (run_id(NOON + 240),), "the tick goes before what is made up for"


def test_the_one_late_tick_that_latest_starts_is_replaced_like_any_other() -> None:
    late = queued(NOON, Trigger.CATCH_UP)

    assert dropped(at_the_tick(REPLACE, active(NOON - HOUR), late)) == [
        (late.run_id, Outcome.CANCELLED, Reason.REPLACED)
    ]
