"""Of which outcomes is there something to tell, and when does a flood of it wait?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from timewright.resources.vocabulary import NoticeEvent, Outcome

_BAD = frozenset({Outcome.FAILED, Outcome.LOST})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run or a tick. Instants are UTC seconds."""

    run: str
    scheduled_at: float
    outcome: Outcome | None = None
    reason: str = ""
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell."""

    event: NoticeEvent
    facts: Facts
    failures: int = 0
    """How many runs had failed one after the other: with this one, where it failed, else before it."""
    others: int = 0
    """Of how many others like it nothing is told apart."""


def streak_after(streak: int, outcome: Outcome) -> int:
    """Return how many runs have failed one after the other, given how many had before one that ended so.

    What never ran, or was ended because somebody wanted it, tells nothing of how the task does.
    """
    if outcome is Outcome.SUCCEEDED:
        return 0
    return streak + 1 if outcome in _BAD else streak


def failing_streak(outcomes: Iterable[Outcome]) -> int:
    """Return how many runs have failed one after the other, of outcomes in the order of time."""
    streak = 0
    for outcome in outcomes:
        streak = streak_after(streak, outcome)
    return streak


def notices_of(streak: int, ended: Sequence[Facts]) -> list[Notice]:
    """Return what there is to tell of runs that have ended, after `streak` failures one after the other.

    Ticks that were missed together are told of together.
    """
    told: list[Notice] = []
    missed: list[Facts] = []
    for facts in ended:
        outcome = facts.outcome
        if outcome is None:
            continue
        before, streak = streak, streak_after(streak, outcome)
        if outcome is Outcome.SUCCEEDED:
            told.append(Notice(NoticeEvent.SUCCEEDED, facts, before))
            if before:
                told.append(Notice(NoticeEvent.RECOVERED, facts, before))
        elif outcome in _BAD:
            told.append(Notice(NoticeEvent.FAILED, facts, streak))
        elif outcome is Outcome.MISSED:
            missed.append(facts)
    if missed:
        latest = max(missed, key=lambda facts: facts.scheduled_at)
        told.append(Notice(NoticeEvent.MISSED, latest, streak, len(missed) - 1))
    return told


class Pace(NamedTuple):
    """How far a rule is with notices of one kind. Instants are seconds of any one clock."""

    told_at: float | None = None
    held: Notice | None = None
    """The latest that has to wait."""


def kind_of(event: NoticeEvent) -> str:
    """Return what shares a pace: a recovery makes the failure before it old news, and the other way round."""
    return "State" if event in (NoticeEvent.FAILED, NoticeEvent.RECOVERED, NoticeEvent.SUCCEEDED) else event.value


def admit(pace: Pace, notice: Notice, interval: float, now: float) -> tuple[Pace, Notice | None]:
    """Return the pace after a notice, and the notice if it is to be told now rather than held."""
    if pace.held is None and (pace.told_at is None or now - pace.told_at >= interval):
        return Pace(now), notice
    others = notice.others if pace.held is None else notice.others + pace.held.others + 1
    return replace_held(pace, replace(notice, others=others)), None


def release(pace: Pace, interval: float, now: float) -> tuple[Pace, Notice | None]:
    """Return the pace at an instant, and what was held if its time has come."""
    if pace.held is None or (pace.told_at is not None and now - pace.told_at < interval):
        return pace, None
    return Pace(now), pace.held


def replace_held(pace: Pace, notice: Notice) -> Pace:
    """Return the pace with another notice that waits."""
    return Pace(pace.told_at, notice)
