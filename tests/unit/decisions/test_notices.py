"""What there is to tell of outcomes, and what of a flood of them waits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewright.decisions.notices import Facts, Notice, Pace, admit, failing_streak, kind_of, notices_of, release
from timewright.resources.vocabulary import NoticeEvent, Outcome

S, F, L = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.LOST
M, K, C = Outcome.MISSED, Outcome.SKIPPED, Outcome.CANCELLED


def told(streak: int, *outcomes: Outcome) -> list[tuple[str, int]]:
    ended = [Facts(f"run-{number}", number, outcome) for number, outcome in enumerate(outcomes)]
    return [(each.event.value, each.failures) for each in notices_of(streak, ended)]


@pytest.mark.parametrize(
    ("streak", "outcomes", "expected"),
    [
        (0, [S], [("Succeeded", 0)]),
        (0, [F], [("Failed", 1)]),
        (2, [L], [("Failed", 3)]),
        (2, [S], [("Succeeded", 2), ("Recovered", 2)]),
        (0, [F, S, F], [("Failed", 1), ("Succeeded", 1), ("Recovered", 1), ("Failed", 1)]),
        (1, [K, C], []),
        (1, [M, M, S], [("Succeeded", 1), ("Recovered", 1), ("Missed", 0)]),
    ],
)
def test_what_is_told(streak: int, outcomes: list[Outcome], expected: list[tuple[str, int]]) -> None:
    assert told(streak, *outcomes) == expected


def test_of_missed_ticks_the_latest_is_named_and_the_others_are_counted() -> None:
    (notice,) = notices_of(0, [Facts(f"run-{at}", at, M) for at in (30, 50, 40)])
    assert (notice.facts.run, notice.others) == ("run-50", 2)


@given(st.lists(st.sampled_from(list(Outcome))))
def test_the_streak_counts_back_to_the_last_success(outcomes: list[Outcome]) -> None:
    since = outcomes[len(outcomes) - outcomes[::-1].index(S) :] if S in outcomes else outcomes
    assert failing_streak(outcomes) == sum(each in (F, L) for each in since)


@given(st.lists(st.floats(0, 50), min_size=1, max_size=60), st.integers(1, 100))
def test_a_flood_is_told_at_the_pace_allowed_and_none_of_it_is_forgotten(gaps: list[float], interval: int) -> None:
    pace, now, said = Pace(), 0.0, list[tuple[float, Notice]]()
    for number, gap in enumerate(gaps):
        if pace.held is not None and pace.told_at is not None and pace.told_at + interval <= now + gap:
            due = pace.told_at + interval
            pace, late = release(pace, interval, due)
            if late is not None:
                said.append((due, late))
        now += gap
        notice = Notice(NoticeEvent.FAILED, Facts(f"run-{number}", number, F))
        pace, at_once = admit(pace, notice, interval, now)
        if at_once is not None:
            said.append((now, at_once))
    pace, last = release(pace, interval, now + 2 * interval)
    if last is not None:
        said.append((now + 2 * interval, last))
    assert pace.held is None
    assert said[0][1].facts.run == "run-0"
    assert said[-1][1].facts.run == f"run-{len(gaps) - 1}"
    assert sum(1 + notice.others for _, notice in said) == len(gaps)
    assert all(later - earlier > interval - 1e-6 for (earlier, _), (later, _) in itertools.pairwise(said))


def test_a_recovery_takes_the_place_of_the_failure_that_was_held() -> None:
    assert kind_of(NoticeEvent.FAILED) == kind_of(NoticeEvent.RECOVERED)
    assert kind_of(NoticeEvent.MISSED) != kind_of(NoticeEvent.FAILED)
