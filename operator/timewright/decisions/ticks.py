"""What becomes of the ticks of a task, given what is recorded of it and what time it is?

- Ticks count from a *baseline*: a task seen for the first time, or with another schedule, starts with a tick exactly at
  `now`; older ones are not its. `undecided` tells which ticks found late may still start.
- `overlap` tells what happens beside runs that are active.
- A clock that was put back repeats nothing: ticks up to the watermark stay decided. One that was put forward is a time
  in which nobody was there.
- While a task is suspended, ticks that wait go on waiting (until their starting deadline), a run by hand that waits
  starts when there is room, and a run that is lost is not run again. What is active goes on.
- A starting deadline is for ticks: a run by hand waits for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable

from timewright.decisions.applying import apply
from timewright.decisions.decision import Decision, End, EndMany, Enqueue, Start
from timewright.decisions.overlap import most_active, oldest_first, place
from timewright.decisions.rules import Rules
from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.decisions.undecided import ON_TIME, sort_undecided
from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, OnLost, Outcome, Reason, Trigger
from timewright.timetable.jitter import start_of

__all__ = ["Decision", "End", "EndMany", "Enqueue", "Rules", "Start", "apply", "decide", "decide_at_length"]


def decide(rules: Rules, state: TaskState, now: int) -> Decision:
    """Decide on every tick up to and including `now`, on queued runs and on runs that nobody can prove any more."""
    watermark = state.watermark
    if (
        watermark is None
        or watermark > now
        or state.open_runs
        or state.suspended
        or rules.suspended
        or state.schedule_id != rules.schedule_id
    ):
        return decide_at_length(rules, state, now)
    # Nearly always one tick is due, or none, and nothing stands in its way. This says so without further ado; where it
    # does not apply, and where it does, `decide_at_length` comes to the same.
    tick = rules.ticks.first_from(watermark + 1)
    if tick is None or tick > now:
        return Decision(now, rules.schedule_id, suspended=False, ask_again_at=tick)
    following = rules.ticks.first_from(tick + 1)
    deadline = rules.policies.starting_deadline
    lateness = now - tick
    if (
        (following is not None and following <= now)
        or lateness >= ON_TIME
        or (deadline is not None and lateness > deadline)
    ):
        return decide_at_length(rules, state, now)
    return Decision(now, rules.schedule_id, suspended=False, start=(Start(tick),), ask_again_at=following)


def decide_at_length(rules: Rules, state: TaskState, now: int) -> Decision:
    """Decide as `decide` does, whatever the case is."""
    deadline = rules.policies.starting_deadline
    undecided = sort_undecided(rules, state, now)
    lost, rerun, later = _unproven(rules, state)
    gone_or_later = (*lost, *later)
    active = oldest_first(
        run for run in state.open_runs if run.phase is not OpenPhase.QUEUED and run not in gone_or_later
    )
    queued = oldest_first(run for run in state.open_runs if run.phase is OpenPhase.QUEUED)
    expired = [run for run in queued if deadline is not None and _expires(run) and _late(rules, run, now) > deadline]
    held = [run for run in queued if rules.suspended and _expires(run)]
    ready = [run for run in queued if run not in expired and run not in held]
    placing = place(rules.policies, active, ready, undecided.make_up, undecided.due)
    outdated = [run for run in rerun if run.run_id in placing.cancel]
    if outdated:
        # To start a run again only to cancel it for a newer one helps nobody.
        lost, rerun = lost + outdated, [run for run in rerun if run not in outdated]
        active = [run for run in active if run not in outdated]
        placing = place(rules.policies, active, ready, undecided.make_up, undecided.due)
    message = f"it waited for room for longer than startingDeadlineSeconds, which is {deadline}"
    drop = [(run.run_id, Outcome.MISSED, Reason.DEADLINE_EXCEEDED, message) for run in expired] + placing.drop
    gone = {*placing.dequeue, *(run_id for run_id, *_ in drop)}
    waiting = [start_of(rules.ticks, run.scheduled_at) for run in queued if run.run_id not in gone and _expires(run)]
    waiting += [start_of(rules.ticks, each.scheduled_at) for each in placing.enqueue]
    return Decision(
        watermark=undecided.watermark,
        schedule_id=rules.schedule_id,
        suspended=rules.suspended,
        start=tuple(placing.start),
        enqueue=tuple(placing.enqueue),
        end=(*undecided.end, *placing.end),
        end_many=undecided.end_many,
        cancel=tuple(placing.cancel),
        dequeue=tuple(placing.dequeue),
        drop=tuple(drop),
        lost=tuple(run.run_id for run in lost),
        rerun=tuple(run.run_id for run in rerun),
        ask_again_at=_ask_again_at(rules, undecided.watermark, waiting),
    )


def _unproven(rules: Rules, state: TaskState) -> tuple[list[OpenRun], list[OpenRun], list[OpenRun]]:
    """Return the runs that end as Lost, those that start again and so keep their place, and those that do so later.

    More of them than may be active at once can be unproven: of some nobody can tell whether they had a place at all.
    """
    taken = [run for run in state.open_runs if run.phase is not OpenPhase.QUEUED]
    unproven = oldest_first(run for run in taken if not run.proven)
    if rules.policies.on_lost is not OnLost.RERUN or rules.suspended:
        return unproven, [], []
    room = max(0, most_active(rules.policies) - (len(taken) - len(unproven)))
    if rules.policies.concurrency is ConcurrencyPolicy.REPLACE:
        first = max(0, len(unproven) - room)
        return unproven[:first], unproven[first:], []
    return [], unproven[:room], unproven[room:]


def _ask_again_at(rules: Rules, decided: int, waiting: Iterable[int]) -> int | None:
    """Return when a tick will be due or one that waits will have waited for too long."""
    policies = rules.policies
    instants = []
    if not rules.suspended or policies.on_resume is MissedRunsPolicy.SKIP:
        tick = rules.ticks.first_from(decided + 1)
        instants += [] if tick is None else [tick]
    if policies.starting_deadline is not None:
        instants += [tick + policies.starting_deadline + 1 for tick in waiting]
    return min(instants, default=None)


def _late(rules: Rules, run: OpenRun, now: int) -> int:
    """Return for how many seconds a run could have been running by now."""
    return now - start_of(rules.ticks, run.scheduled_at)


def _expires(run: OpenRun) -> bool:
    return run.trigger is not Trigger.MANUAL
