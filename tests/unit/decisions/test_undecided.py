"""Which of the ticks that nobody has decided on may still start, and how do the others end?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.decisions.periodic import DAY, HOUR, MINUTE, NOON, Periodic, queued, recorded, rules
from timewright.decisions.policies import MissedRuns
from timewright.decisions.task_state import TaskState
from timewright.decisions.ticks import Decision, Start, decide
from timewright.decisions.undecided import MOST_AT_ONCE, MOST_LISTED
from timewright.resources.vocabulary import MissedRunsPolicy, Outcome, Reason, Trigger
from timewright.timetable.jitter import Jittered

SKIP, LATEST, ALL = MissedRunsPolicy.SKIP, MissedRunsPolicy.LATEST, MissedRunsPolicy.ALL


def missed(policy: MissedRunsPolicy, **limits: Any) -> dict[str, Any]:
    return {"missed_runs": MissedRuns(policy, **limits)}


def started(decision: Decision) -> list[tuple[int, str]]:
    """Return the starts as seconds after noon, with what asked for them."""
    return [(each.scheduled_at - NOON, each.trigger.value) for each in decision.start]


def ended(decision: Decision) -> list[tuple[int, str]]:
    """Return the ticks that ended as seconds after noon, with the reasons."""
    return [(each.scheduled_at - NOON, each.reason.value) for each in decision.end]


# ---- where ticks begin to count


@pytest.mark.parametrize(
    ("now", "start"),
    [(NOON, (Start(NOON),)), (NOON + 1, ()), (NOON + 59, ()), (NOON + MINUTE, (Start(NOON + MINUTE),))],
)
def test_a_task_seen_for_the_first_time_starts_with_a_tick_exactly_now(now: int, start: tuple[Start, ...]) -> None:
    decision = decide(rules(), TaskState(), now)

    assert (decision.start, decision.end, decision.end_many, decision.watermark) == (start, (), (), now)


@pytest.mark.parametrize("policy", [SKIP, LATEST, ALL])
def test_ticks_before_a_task_was_first_seen_are_not_its_own_under_any_policy(policy: MissedRunsPolicy) -> None:
    decision = decide(rules(10, on_resume=policy, on_schedule_change=policy, **missed(policy)), TaskState(), NOON + 305)

    assert decision == Decision(NOON + 305, "a", suspended=False, ask_again_at=NOON + 310)


@pytest.mark.parametrize(
    ("policy", "now", "starts", "ends"),
    [
        (SKIP, 300, [(300, "Schedule")], []),
        (SKIP, 301, [], []),
        (
            LATEST,
            300,
            [(300, "Schedule")],
            [(60, "ScheduleChanged"), (120, "ScheduleChanged"), *((tick, "ScheduleChanged") for tick in (180, 240))],
        ),
        (LATEST, 359, [(300, "Schedule")], [(tick, "ScheduleChanged") for tick in (60, 120, 180, 240)]),
        (ALL, 200, [(60, "CatchUp"), (120, "CatchUp"), (180, "Schedule")], []),
    ],
)
def test_a_changed_schedule_has_no_past_unless_asked_for(
    policy: MissedRunsPolicy, now: int, starts: list[Any], ends: list[Any]
) -> None:
    # The watermark belongs to another schedule.
    decision = decide(rules(schedule_id="b", on_schedule_change=policy), recorded(), NOON + now)

    assert (started(decision), ended(decision)) == (starts, ends)
    assert (decision.watermark, decision.schedule_id) == (NOON + now, "b")


def test_ticks_of_the_schedule_before_that_nobody_could_decide_on_end_with_a_record() -> None:
    changed = rules(45, schedule_id="b")._replace(former=Periodic(MINUTE, NOON))
    decision = decide(changed, recorded(), NOON + 180)
    assert ended(decision) == [(60, "ScheduleChanged"), (120, "ScheduleChanged")]
    assert {each.outcome for each in decision.end} == {Outcome.MISSED}
    assert started(decision) == [(180, "Schedule")], "a tick of now is the new schedule's"
    decision = decide(changed, recorded(suspended=True), NOON + 180)
    assert {each.outcome for each in decision.end} == {Outcome.SKIPPED}
    held_back = rules(45, schedule_id="b", suspended=True, on_resume=ALL)._replace(former=Periodic(MINUTE, NOON))
    assert len(decide(held_back, recorded(suspended=True), NOON + 180).end) == 2
    assert decide(changed, recorded(NOON + 180), NOON + 180).end == ()
    many = decide(changed, recorded(), NOON + 1_000 * MINUTE)
    assert len(many.end) + sum(each.count for each in many.end_many) == 999


def test_a_tick_of_the_schedule_before_whose_start_was_put_off_ends_with_a_record() -> None:
    former = Jittered(Periodic(MINUTE, NOON), "backup", 50)
    start = former.start_of(NOON + 120)
    assert start > NOON + 121, "or this would test nothing"
    changed = rules(45, schedule_id="b")._replace(former=former)
    for now in (121, start - NOON, start - NOON + 1):
        decision = decide(changed, recorded(former.start_of(NOON)), NOON + now)
        assert ended(decision) == [(60, "ScheduleChanged"), (120, "ScheduleChanged")]
    only_it = decide(changed, recorded(former.start_of(NOON + 60)), NOON + 121)
    assert ended(only_it) == [(120, "ScheduleChanged")]
    assert ended(decide(changed, recorded(start), NOON + 150)) == [], "it has been decided"


def test_a_schedule_changed_in_the_second_of_a_tick_decides_nothing_twice() -> None:
    assert decide(rules(schedule_id="b"), recorded(NOON), NOON).start == ()


# ---- late ticks


@pytest.mark.parametrize(
    ("lateness", "trigger"), [(0, "Schedule"), (1, "Schedule"), (59, "Schedule"), (60, "CatchUp"), (3_599, "CatchUp")]
)
def test_latest_starts_a_tick_however_late_and_tells_if_it_is(lateness: int, trigger: str) -> None:
    decision = decide(rules(HOUR), recorded(), NOON + HOUR + lateness)

    assert (started(decision), decision.end) == ([(HOUR, trigger)], ())


def test_latest_starts_one_of_all_that_were_missed() -> None:
    decision = decide(rules(), recorded(), NOON + 250)

    assert started(decision) == [(240, "Schedule")]
    assert ended(decision) == [(60, "Downtime"), (120, "Downtime"), (180, "Downtime")]
    assert all(each.outcome is Outcome.MISSED for each in decision.end)
    assert "missedRuns.policy is Latest" in decision.end[0].message


def test_latest_starts_nothing_older_than_the_age_asked_for() -> None:
    limited = rules(HOUR, **missed(LATEST, max_age=600))

    assert started(decide(limited, recorded(), NOON + HOUR + 600)) == [(HOUR, "CatchUp")]
    assert ended(decide(limited, recorded(), NOON + HOUR + 601)) == [(HOUR, "Downtime")]


@pytest.mark.parametrize("policy", [LATEST, ALL])
def test_a_tick_on_time_is_not_too_old(policy: MissedRunsPolicy) -> None:
    task = rules(50, **missed(policy, max_age=0))

    assert started(decide(task, recorded(), NOON + 59)) == [(50, "Schedule")]
    both = [(50, "Schedule"), (100, "Schedule")]
    assert started(decide(task, recorded(), NOON + 101)) == (both if policy is ALL else both[1:])


@pytest.mark.parametrize(
    ("period", "deadline", "now", "starts", "ends"),
    [
        (HOUR, None, HOUR + 59, [(HOUR, "Schedule")], []),
        (HOUR, None, HOUR + 60, [], [(HOUR, "Downtime")]),
        (HOUR, 600, HOUR + 600, [(HOUR, "CatchUp")], []),
        (HOUR, 600, HOUR + 601, [], [(HOUR, "DeadlineExceeded")]),
        (HOUR, 5, HOUR + 6, [], [(HOUR, "DeadlineExceeded")]),
        # An invocation of a minute was left out, and the next one comes in time.
        (MINUTE, None, 120, [(120, "Schedule")], [(60, "Downtime")]),
        (20, None, 85, [(40, "Schedule"), (60, "Schedule"), (80, "Schedule")], [(20, "Downtime")]),
    ],
)
def test_skip_starts_what_is_found_in_time(
    period: int, deadline: int | None, now: int, starts: list[Any], ends: list[Any]
) -> None:
    decision = decide(rules(period, starting_deadline=deadline, **missed(SKIP)), recorded(), NOON + now)

    assert (started(decision), ended(decision)) == (starts, ends)


def test_skip_starts_no_more_at_once_than_it_says_however_long_the_deadline() -> None:
    decision = decide(rules(1, starting_deadline=DAY, **missed(SKIP)), recorded(), NOON + HOUR)

    assert [each.scheduled_at - NOON for each in decision.start] == list(range(HOUR - MOST_AT_ONCE + 1, HOUR + 1))
    assert len(decision.end) + decision.end_many[0].count == HOUR - MOST_AT_ONCE


def test_all_makes_up_for_every_tick_oldest_first() -> None:
    decision = decide(rules(**missed(ALL)), recorded(), NOON + 245)

    assert started(decision) == [(60, "CatchUp"), (120, "CatchUp"), (180, "CatchUp"), (240, "Schedule")]
    assert decision.end == ()


@pytest.mark.parametrize(
    ("limits", "starts", "reason_names"),
    [
        ({"max_runs": 2}, [120, 180, 240], "maxRuns is 2"),
        ({"max_runs": 0}, [240], "maxRuns is 0"),
        ({"max_age": 124}, [120, 180, 240], "maxAge is 124"),
        ({"max_age": 123}, [180, 240], "maxAge is 123"),
        ({"max_age": 125, "max_runs": 1}, [180, 240], "maxRuns is 1 and maxAge is 125"),
    ],
)
def test_all_is_bounded_in_number_and_age_and_prefers_the_latest(
    limits: dict[str, int], starts: list[int], reason_names: str
) -> None:
    decision = decide(rules(**missed(ALL, **limits)), recorded(), NOON + 244)

    assert [tick for tick, _ in started(decision)] == starts
    assert [tick for tick, _ in ended(decision)] == [tick for tick in (60, 120, 180) if tick not in starts]
    assert {each.reason for each in decision.end} == {Reason.DOWNTIME}
    assert reason_names in decision.end[0].message


def test_what_all_makes_up_for_at_once_includes_what_still_waits() -> None:
    waiting = queued(NOON - 60, Trigger.CATCH_UP)
    decision = decide(rules(max_concurrent=1, **missed(ALL, max_runs=2)), recorded(NOON, waiting), NOON + 245)

    assert decision.dequeue == (waiting.run_id,)
    assert [each.scheduled_at - NOON for each in decision.enqueue if each.trigger is Trigger.CATCH_UP] == [180]


@pytest.mark.parametrize(
    ("policy", "now", "starts", "ends"),
    [
        (LATEST, 250, [240], [(60, "DeadlineExceeded"), (120, "DeadlineExceeded"), (180, "DeadlineExceeded")]),
        (LATEST, 245, [240], [(60, "DeadlineExceeded"), (120, "DeadlineExceeded"), (180, "Downtime")]),
        (ALL, 250, [240], [(60, "DeadlineExceeded"), (120, "DeadlineExceeded"), (180, "DeadlineExceeded")]),
        (ALL, 245, [180, 240], [(60, "DeadlineExceeded"), (120, "DeadlineExceeded")]),
    ],
)
def test_a_tick_later_than_the_starting_deadline_is_missed_under_every_policy(
    policy: MissedRunsPolicy, now: int, starts: list[int], ends: list[Any]
) -> None:
    decision = decide(rules(starting_deadline=65, **missed(policy)), recorded(), NOON + now)

    assert ([tick for tick, _ in started(decision)], ended(decision)) == (starts, ends)
    assert decision.end[0].outcome is Outcome.MISSED
    assert "startingDeadlineSeconds, which is 65" in decision.end[0].message


# ---- suspended


def test_the_ticks_of_a_suspended_task_end_as_such_at_their_time() -> None:
    decision = decide(rules(suspended=True), recorded(suspended=True), NOON + MINUTE)

    assert [(each.outcome, each.reason) for each in decision.end] == [(Outcome.SKIPPED, Reason.SUSPENDED)]
    assert (decision.watermark, decision.ask_again_at) == (NOON + MINUTE, NOON + 2 * MINUTE)


@pytest.mark.parametrize("policy", [LATEST, ALL])
def test_a_suspended_task_that_catches_up_later_decides_nothing_before(policy: MissedRunsPolicy) -> None:
    decision = decide(rules(suspended=True, on_resume=policy), recorded(suspended=True), NOON + HOUR)

    assert decision == Decision(NOON, "a", suspended=True, ask_again_at=None)


@pytest.mark.parametrize(
    ("policy", "now", "starts", "ends"),
    [
        (SKIP, 180, [180], [60, 120]),
        (SKIP, 61, [], [60]),
        (SKIP, 190, [], [60, 120, 180]),
        (LATEST, 190, [180], [60, 120]),
        (ALL, 190, [60, 120, 180], []),
    ],
)
def test_a_task_that_is_resumed_makes_up_for_what_it_was_told_to(
    policy: MissedRunsPolicy, now: int, starts: list[int], ends: list[int]
) -> None:
    # What counts is the policy for a resume, whatever that for a downtime is.
    for other in (SKIP, LATEST, ALL):
        decision = decide(rules(on_resume=policy, **missed(other)), recorded(suspended=True), NOON + now)

        assert [tick for tick, _ in started(decision)] == starts
        assert ended(decision) == [(tick, "Suspended") for tick in ends]
        assert {each.outcome for each in decision.end} <= {Outcome.SKIPPED}
        assert decision.suspended is False


def test_a_schedule_changed_while_suspended_moves_what_is_held_back() -> None:
    changed = rules(suspended=True, schedule_id="b", on_resume=ALL)
    decision = decide(changed, recorded(suspended=True), NOON + 150)

    assert (decision.watermark, decision.schedule_id) == (NOON + 149, "b")
    resumed = decide(
        rules(schedule_id="b", on_resume=ALL), recorded(NOON + 149, schedule_id="b", suspended=True), NOON + 200
    )
    assert [tick for tick, _ in started(resumed)] == [180]


def test_a_schedule_changed_while_suspended_takes_what_is_held_back_along_if_asked() -> None:
    changed = rules(suspended=True, schedule_id="b", on_resume=ALL, on_schedule_change=LATEST)

    assert decide(changed, recorded(suspended=True), NOON + 150).watermark == NOON


def test_a_pause_outweighs_an_edit_made_in_the_meantime() -> None:
    resumed = rules(schedule_id="b", on_resume=LATEST, on_schedule_change=ALL)
    decision = decide(resumed, recorded(suspended=True), NOON + 150)

    assert [tick for tick, _ in started(decision)] == [120]
    assert ended(decision) == [(60, "Suspended")]


# ---- clocks


@pytest.mark.parametrize("back", [1, MINUTE, DAY])
def test_a_clock_put_back_repeats_nothing(back: int) -> None:
    decision = decide(rules(), recorded(NOON), NOON - back)

    assert decision == Decision(NOON, "a", suspended=False, ask_again_at=NOON + MINUTE)


def test_a_clock_put_back_repeats_nothing_for_a_changed_schedule_or_a_resumed_task_either() -> None:
    for state in (recorded(schedule_id="before"), recorded(suspended=True)):
        for policy in (SKIP, LATEST, ALL):
            decision = decide(rules(on_resume=policy, on_schedule_change=policy), state, NOON - HOUR)

            assert (decision.start, decision.end, decision.watermark) == ((), (), NOON)
            assert decision.ask_again_at == NOON + MINUTE


# ---- very many ticks


@pytest.mark.parametrize("policy", [SKIP, LATEST, ALL])
def test_millions_of_missed_ticks_are_counted_and_not_walked_over(policy: MissedRunsPolicy) -> None:
    month = 30 * DAY
    task = rules(1, **missed(policy))
    decision = decide(task, recorded(), NOON + month)

    assert isinstance(task.ticks, Periodic)
    assert task.ticks.asked < 1_000
    assert len(decision.end) == MOST_LISTED
    [rest] = decision.end_many
    assert len(decision.start) + len(decision.end) + rest.count == month
    assert (rest.first, rest.last) == (NOON + 1, decision.end[0].scheduled_at - 1)
    assert (rest.outcome, rest.reason) == (Outcome.MISSED, Reason.DOWNTIME)


def test_of_ticks_that_end_for_two_reasons_the_latest_are_listed() -> None:
    decision = decide(rules(1, starting_deadline=40, **missed(LATEST)), recorded(), NOON + HOUR)

    reasons = [each.reason for each in decision.end]
    assert (reasons.count(Reason.DOWNTIME), reasons.count(Reason.DEADLINE_EXCEEDED)) == (40, MOST_LISTED - 40)
    assert [(each.reason, each.count) for each in decision.end_many] == [
        (Reason.DEADLINE_EXCEEDED, HOUR - 1 - MOST_LISTED)
    ]


def test_exactly_as_many_as_may_be_listed_are_listed() -> None:
    decision = decide(rules(1), recorded(), NOON + MOST_LISTED + 1)

    assert (len(decision.end), decision.end_many) == (MOST_LISTED, ())
