"""Which of the ticks that nobody has decided on yet may still start, and how do the others end?

Few may still start: one (`Latest`), `missedRuns.maxRuns` (`All`), and of those on time `MOST_AT_ONCE`. The others are
counted by arithmetic and not walked over, since a task that ticks by the second has millions of them after a month.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from timewright.decisions.decision import End, EndMany, Start
from timewright.decisions.rules import Rules
from timewright.decisions.task_state import OpenPhase, TaskState
from timewright.resources.vocabulary import MissedRunsPolicy, Outcome, Reason, Trigger
from timewright.timetable.jitter import started_until, tick_of
from timewright.timetable.ticks import Ticks

ON_TIME = 60
"""A tick found less than this many seconds late is on time: no invocation of `schedule:run` can have been left out."""

MOST_AT_ONCE = 100
"""The most ticks that `Skip` starts at once where a long starting deadline lets more of them start."""

MOST_LISTED = 100
"""How many ticks that end without a run are told one by one in one decision, the latest ones; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The undecided ticks by what becomes of them, the oldest first. Instants are UTC seconds."""

    watermark: int
    due: tuple[Start, ...] = ()
    """They start now, or what the overlap policy says where there is no room."""
    make_up: tuple[int, ...] = ()
    """They start in any case, as soon as there is room."""
    end: tuple[End, ...] = ()
    end_many: tuple[EndMany, ...] = ()


class _Ending(NamedTuple):
    """The ticks in `[start, end)` end like this."""

    start: int
    end: int
    outcome: Outcome
    reason: Reason
    message: str


def sort_undecided(rules: Rules, state: TaskState, now: int) -> Sorted:
    """Sort the ticks after the watermark up to and including `now`."""
    policies = rules.policies
    first = _baseline(rules, state, now) + 1
    gone, gone_many = _gone(rules, state, min(first, now))
    if rules.suspended and policies.on_resume is not MissedRunsPolicy.SKIP:
        return Sorted(watermark=first - 1, end=gone, end_many=gone_many)
    endings = []
    if rules.suspended or (state.suspended and policies.on_resume is MissedRunsPolicy.SKIP):
        # Of the moment at which a task was resumed no more is known than that it is over.
        resumed_at = now + 1 if rules.suspended else now
        endings.append(_Ending(first, resumed_at, Outcome.SKIPPED, Reason.SUSPENDED, "the task was suspended"))
        first = max(first, resumed_at)
    deadline = policies.starting_deadline
    if deadline is not None:
        message = f"nobody decided on it within startingDeadlineSeconds, which is {deadline}"
        endings.append(_Ending(first, now - deadline, Outcome.MISSED, Reason.DEADLINE_EXCEEDED, message))
        first = max(first, now - deadline)
    policy = _policy(rules, state)
    late, on_time = _startable(rules, state, first, now, policy)
    startable = (*late, *on_time)
    until = startable[0] if startable else now + 1
    endings.append(_Ending(first, until, *_passed_over(rules, state, policy)))
    end, end_many = _told(rules.ticks, endings)
    end, end_many = (*gone, *end), (*gone_many, *end_many)
    watermark = max(first - 1, now)
    if policy is MissedRunsPolicy.ALL:
        due = tuple(Start(tick_of(rules.ticks, start)) for start in on_time)
        return Sorted(watermark, due, tuple(tick_of(rules.ticks, start) for start in late), end, end_many)
    due = tuple(Start(tick_of(rules.ticks, start), _trigger(start, now)) for start in startable)
    return Sorted(watermark, due, (), end, end_many)


def _baseline(rules: Rules, state: TaskState, now: int) -> int:
    """Return the instant up to which no tick is this decision's matter."""
    if state.watermark is None:
        return started_until(rules.ticks, now - 1)
    if state.schedule_id == rules.schedule_id:
        return state.watermark
    if rules.policies.on_schedule_change is MissedRunsPolicy.SKIP:
        return max(state.watermark, started_until(rules.ticks, now - 1))
    return started_until(rules.ticks, state.watermark)


def _gone(rules: Rules, state: TaskState, first: int) -> tuple[tuple[End, ...], tuple[EndMany, ...]]:
    """Tell how those ticks of the schedule before end that nobody has decided on, and nobody will any more."""
    if rules.former is None or state.watermark is None:
        return (), ()
    # A start that was put off goes with its tick, which no other schedule has any more.
    end = started_until(rules.former, first - 1) + 1
    if state.watermark + 1 >= end:
        return (), ()
    if state.schedule_id == rules.schedule_id or rules.policies.on_schedule_change is not MissedRunsPolicy.SKIP:
        return (), ()
    how = Outcome.MISSED, Reason.SCHEDULE_CHANGED, "the schedule was changed before anybody decided on it"
    if state.suspended:
        how = Outcome.SKIPPED, Reason.SUSPENDED, "the task was suspended, and then its schedule was changed"
    return _told(rules.former, [_Ending(state.watermark + 1, end, *how)])


def _policy(rules: Rules, state: TaskState) -> MissedRunsPolicy:
    """Return the policy for ticks found late. A pause outweighs an edit, as it kept them from being decided at all."""
    policies = rules.policies
    if state.suspended and policies.on_resume is not MissedRunsPolicy.SKIP:
        return policies.on_resume
    if state.schedule_id != rules.schedule_id and policies.on_schedule_change is not MissedRunsPolicy.SKIP:
        return policies.on_schedule_change
    return policies.missed_runs.policy


def _passed_over(rules: Rules, state: TaskState, policy: MissedRunsPolicy) -> tuple[Outcome, Reason, str]:
    """Tell how the ticks end that could have been made up for, but are not."""
    missed = rules.policies.missed_runs
    limits = f"maxRuns is {missed.max_runs}" if policy is MissedRunsPolicy.ALL else ""
    if missed.max_age is not None and policy is not MissedRunsPolicy.SKIP:
        limits += f"{' and ' if limits else ''}maxAge is {missed.max_age} s"
    said = f"is {policy}" + (f", {limits}" if limits else "")
    if state.suspended and rules.policies.on_resume is not MissedRunsPolicy.SKIP:
        return Outcome.SKIPPED, Reason.SUSPENDED, f"the task was suspended, and onResume {said}"
    if state.schedule_id != rules.schedule_id and rules.policies.on_schedule_change is not MissedRunsPolicy.SKIP:
        return Outcome.MISSED, Reason.SCHEDULE_CHANGED, f"the schedule was changed later, and onScheduleChange {said}"
    return Outcome.MISSED, Reason.DOWNTIME, f"nobody decided on it in time, and missedRuns.policy {said}"


def _startable(
    rules: Rules, state: TaskState, first: int, now: int, policy: MissedRunsPolicy
) -> tuple[Sequence[int], Sequence[int]]:
    """Return those of the ticks in `[first, now]` that are late but made up for, and those that are on time.

    Together they are the latest of these ticks, without a gap.
    """
    policies = rules.policies
    on_time_from = max(first, now - ON_TIME + 1)
    if policy is MissedRunsPolicy.SKIP:
        # Whoever sets a deadline has said how late is not too late.
        tolerated_from = on_time_from if policies.starting_deadline is None else first
        return (), _latest(rules.ticks, tolerated_from, now, MOST_AT_ONCE)
    max_age = policies.missed_runs.max_age
    oldest = first if max_age is None else max(first, min(now - max_age, on_time_from))
    if policy is MissedRunsPolicy.LATEST:
        return (), _latest(rules.ticks, oldest, now, 1)
    waiting = sum(run.phase is OpenPhase.QUEUED and run.trigger is Trigger.CATCH_UP for run in state.open_runs)
    most = policies.missed_runs.max_runs - waiting
    return _latest(rules.ticks, oldest, on_time_from - 1, most), _latest(rules.ticks, on_time_from, now, ON_TIME)


def _trigger(tick: int, now: int) -> Trigger:
    return Trigger.SCHEDULE if now - tick < ON_TIME else Trigger.CATCH_UP


def _told(ticks: Ticks, endings: Sequence[_Ending]) -> tuple[tuple[End, ...], tuple[EndMany, ...]]:
    """List the latest ticks that end, and count the others."""
    listed: list[End] = []
    counted: list[EndMany] = []
    for start, end, outcome, reason, message in reversed(endings):
        places = MOST_LISTED - len(listed)
        latest = _latest(ticks, start, end - 1, places)
        listed[:0] = [End(tick_of(ticks, tick), outcome, reason, message) for tick in latest]
        if len(latest) < places:
            continue
        until = latest[0] if latest else end
        count = ticks.count(start, until) if start < until else 0
        oldest, newest = ticks.first_from(start), ticks.last_until(until - 1)
        if count and oldest is not None and newest is not None:
            counted.insert(0, EndMany(oldest, newest, count, outcome, reason))
    return tuple(listed), tuple(counted)


def _latest(ticks: Ticks, first: int, last: int, most: int) -> list[int]:
    """Return the latest ticks in `[first, last]`, the oldest first."""
    found: list[int] = []
    tick = ticks.last_until(last) if first <= last and most > 0 else None
    while tick is not None and tick >= first and len(found) < most:
        found.append(tick)
        tick = ticks.last_until(tick - 1)
    found.reverse()
    return found
