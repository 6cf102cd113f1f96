"""Whatever happens, and wherever a process dies: every tick has one outcome, and no policy is violated.

The machine below is a store, a few processes that run things, a clock and people that change their minds. It knows the
promises, not how they are kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.decisions.periodic import DAY, HOUR, NOON, Periodic
from timewright.decisions import by_hand
from timewright.decisions.policies import MissedRuns, Policies
from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.decisions.ticks import Decision, Rules, apply, decide, decide_at_length
from timewright.decisions.undecided import MOST_AT_ONCE, MOST_LISTED, ON_TIME
from timewright.resources.vocabulary import (
    ConcurrencyPolicy,
    MissedRunsPolicy,
    OnLost,
    Outcome,
    Reason,
    Trigger,
)
from timewright.timetable import parse
from timewright.timetable.ticks import Ticks

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

seconds = st.one_of(st.integers(0, 70), st.sampled_from([59, 60, 61, 120, 600]), st.integers(0, 2 * HOUR))

missed_runs = st.builds(
    MissedRuns,
    policy=st.sampled_from(MissedRunsPolicy),
    max_runs=st.integers(0, 4),
    max_age=st.none() | st.integers(0, HOUR),
)

policies = st.builds(
    Policies,
    concurrency=st.sampled_from(ConcurrencyPolicy),
    max_concurrent=st.none() | st.integers(1, 3),
    max_queued=st.integers(0, 3),
    starting_deadline=st.none() | st.integers(0, 300),
    missed_runs=missed_runs,
    on_resume=st.sampled_from(MissedRunsPolicy),
    on_schedule_change=st.sampled_from(MissedRunsPolicy),
    on_lost=st.sampled_from(OnLost),
)

timetables = st.sampled_from(
    [
        parse("* * * * *"),
        parse("*/10 * * * * *"),
        parse("*/20 8-18 * * *", time_zone="Europe/Berlin"),
        parse("@every 90s", anchor=EPOCH),
        parse(["0 * * * *", "*/25 * * * *"]),
        parse("*/5 * * * *", windows=["between 09:00-17:30"], time_zone="America/New_York"),
    ]
)

periodic = st.builds(
    Periodic,
    period=st.sampled_from([1, 7, 10, 60, 300, 3_600]),
    offset=st.integers(0, HOUR),
    last=st.none() | st.integers(NOON, NOON + DAY),
)


def sources() -> st.SearchStrategy[Ticks]:
    return periodic | timetables.map(lambda schedule: schedule.ticks)


PROCESSES = ("one", "other")

Crash = str | None
crashes = st.sampled_from([None, None, None, None, "before recording", "before starting", "while starting"])


@dataclass
class Process:
    """Something that decides and runs things, until it dies and another takes its name."""

    running: set[str]
    """Ids of runs that it has really started."""


def between(ticks: Ticks, after: int, until: int) -> list[int]:
    """Return the ticks after one instant up to and including another, one by one."""
    found = []
    tick = ticks.first_from(after + 1)
    while tick is not None and tick <= until:
        found.append(tick)
        tick = ticks.first_from(tick + 1)
    return found


def name_of(tick: int) -> str:
    return f"sync-{tick}"


class Machine(RuleBasedStateMachine):
    """See the module."""

    @initialize(ticks=sources(), policies=policies, suspended=st.booleans())
    def begin(self, ticks: Ticks, policies: Policies, suspended: bool) -> None:
        self.now = NOON
        self.task = Rules(ticks, "0", policies, suspended)
        self.edits = 0
        self.state = TaskState()
        self.owners: dict[str, str] = {}
        """Which process holds which active run."""
        self.processes = {name: Process(set()) for name in PROCESSES}
        self.told: dict[int, str] = {}
        """What became of each tick, as far as it was told one by one."""
        self.outcomes: dict[str, Outcome] = {}
        """How each run ended."""
        self.starts: Counter[str] = Counter()
        self.reruns: Counter[str] = Counter()
        self.by_hand = 0

    # ---- the world

    @rule(by=seconds)
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule()
    def the_next_tick_comes(self) -> None:
        tick = self.task.ticks.first_from(self.now + 1)
        if tick is not None and tick - self.now < DAY:
            self.now = tick

    @rule(process=st.sampled_from(PROCESSES), times=st.integers(2, 6))
    def ticks_come_while_runs_take_long(self, process: str, times: int) -> None:
        for _ in range(times):
            self.the_next_tick_comes()
            self.a_process_decides(process, None, lazy=False)

    @rule(by=st.integers(1, HOUR))
    def the_clock_is_put_back(self, by: int) -> None:
        self.now -= by

    @rule(process=st.sampled_from(PROCESSES))
    def a_process_dies(self, process: str) -> None:
        self.processes[process].running.clear()
        mine = {run_id for run_id, owner in self.owners.items() if owner == process}
        self.state = self.state._replace(
            open_runs=tuple(run._replace(proven=run.proven and run.run_id not in mine) for run in self.state.open_runs),
        )

    @precondition(lambda self: self.proven())
    @rule(data=st.data())
    def a_run_ends(self, data: Any) -> None:
        run = data.draw(st.sampled_from(self.proven()))
        self.processes[self.owners[run.run_id]].running.discard(run.run_id)
        self.ends(run.run_id, Outcome.SUCCEEDED)
        self.forgets(run.run_id)

    # ---- people

    @rule(ticks=sources())
    def the_schedule_is_changed(self, ticks: Ticks) -> None:
        self.edits += 1
        self.task = self.task._replace(ticks=ticks, schedule_id=str(self.edits))

    @rule(policies=policies)
    def policies_are_changed(self, policies: Policies) -> None:
        self.task = self.task._replace(policies=policies)

    @rule()
    def the_task_is_suspended_or_resumed(self) -> None:
        self.task = self.task._replace(suspended=not self.task.suspended)

    @rule(process=st.sampled_from(PROCESSES), override=st.booleans())
    def a_run_is_asked_for(self, process: str, override: bool) -> None:
        self.by_hand += 1
        run_id = f"by-hand-{self.by_hand}"
        verdict = by_hand.admit(self.task.policies, self.state, override=override)
        is_rerun = self.task.policies.on_lost is OnLost.RERUN
        held = sum(run.phase is not OpenPhase.QUEUED and (run.proven or is_rerun) for run in self.state.open_runs)
        match verdict:
            case by_hand.Refuse():
                assert held >= self.limit()
                self.ends(run_id, verdict.outcome)
                return
            case by_hand.StartNow():
                phase = OpenPhase.CLAIMED
                assert override or held < self.limit()
            case by_hand.Wait():
                phase = OpenPhase.QUEUED
                for dropped, outcome, _, _ in verdict.drop:
                    self.ends(dropped, outcome)
                    self.forgets(dropped)
        run = OpenRun(run_id, self.now, Trigger.MANUAL, phase)
        self.state = self.state._replace(open_runs=(*self.state.open_runs, run))
        if phase is OpenPhase.CLAIMED:
            self.starts_in(process, run_id)

    # ---- what is tested

    @rule(process=st.sampled_from(PROCESSES), crash=crashes, lazy=st.booleans())
    def a_process_decides(self, process: str, crash: Crash, lazy: bool) -> None:
        before = self.state
        decision = decide(self.task, before, self.now)
        assert decision == decide_at_length(self.task, before, self.now), "the short cut leads elsewhere"
        self.keeps_its_promises(decision)
        if crash == "before recording":
            self.a_process_dies(process)
            return
        is_known = before.watermark is not None and before.schedule_id == decision.schedule_id
        if lazy and is_known and before.suspended == decision.suspended and not has_effects(decision):
            return
        self.records(decision)
        self.asks_again_in_time(decision)
        if crash == "before starting":
            begun = [*map(name_of, [each.scheduled_at for each in decision.start]), *decision.dequeue, *decision.rerun]
            self.owners.update(dict.fromkeys(begun, process))
            self.a_process_dies(process)
            return
        for each in decision.start:
            self.starts_in(process, name_of(each.scheduled_at))
        if crash == "while starting":
            self.owners.update(dict.fromkeys([*decision.dequeue, *decision.rerun], process))
            self.a_process_dies(process)
            return
        for run_id in (*decision.dequeue, *decision.rerun):
            self.starts_in(process, run_id)

    def records(self, decision: Decision) -> None:
        for run_id, outcome, _, _ in decision.drop:
            self.ends(run_id, outcome)
        for run_id in decision.lost:
            self.ends(run_id, Outcome.LOST)
        for run_id in decision.rerun:
            self.reruns[run_id] += 1
        for each in decision.end:
            self.ends(name_of(each.scheduled_at), each.outcome)
        for tick in decision.start + decision.enqueue:
            assert name_of(tick.scheduled_at) not in self.outcomes
        self.told.update({tick.scheduled_at: "" for tick in decision.start + decision.enqueue + decision.end})
        self.state = apply(self.state, decision, name_of)
        for run_id in (*decision.lost, *(run_id for run_id, *_ in decision.drop)):
            self.owners.pop(run_id, None)

    def keeps_its_promises(self, decision: Decision) -> None:
        self.accounts_for_every_tick(decision)
        self.has_room_for_what_starts(decision)
        self.makes_up_within_bounds(decision)
        self.gives_true_reasons(decision)
        self.leaves_the_suspended_alone(decision)

    def accounts_for_every_tick(self, decision: Decision) -> None:
        policies = self.task.policies
        decided = self.state.watermark
        if decided is None:
            decided = self.now - 1
        elif self.state.schedule_id != self.task.schedule_id and policies.on_schedule_change is MissedRunsPolicy.SKIP:
            decided = max(decided, self.now - 1)
        if self.task.suspended and policies.on_resume is not MissedRunsPolicy.SKIP:
            assert decision.watermark == decided
        else:
            assert decision.watermark == max(decided, self.now)
        expected = between(self.task.ticks, decided, decision.watermark)
        told = [each.scheduled_at for each in decision.start + decision.enqueue + decision.end]
        for each in decision.end_many:
            counted = [tick for tick in expected if each.first <= tick <= each.last and tick not in told]
            assert (len(counted), counted[0], counted[-1]) == (each.count, each.first, each.last)
            told += counted
        assert sorted(told) == expected, "each tick exactly once"
        assert not set(told) & self.told.keys(), "a tick that was decided before"
        assert len(decision.end) <= MOST_LISTED + MOST_AT_ONCE
        named = [
            *decision.cancel,
            *decision.dequeue,
            *(run_id for run_id, *_ in decision.drop),
            *decision.lost,
            *decision.rerun,
        ]
        assert len(named) == len(set(named)), "a run is treated in two ways"
        assert set(named) <= {run.run_id for run in self.state.open_runs}

    def has_room_for_what_starts(self, decision: Decision) -> None:
        kept = self.active_after(decision)
        new = len(decision.start) + len(decision.dequeue)
        assert new == 0 or kept + new <= self.limit()
        has_no_room = kept + new >= self.limit()
        assert not decision.enqueue or has_no_room
        for each in decision.end:
            if each.reason is Reason.OVERLAP:
                assert has_no_room
                assert self.task.policies.concurrency in (ConcurrencyPolicy.ALLOW, ConcurrencyPolicy.FORBID)
        if decision.cancel:
            assert self.task.policies.concurrency is ConcurrencyPolicy.REPLACE
            assert decision.enqueue
        gone = {*decision.dequeue, *(run_id for run_id, *_ in decision.drop)}
        waiting = sum(run.phase is OpenPhase.QUEUED and run.run_id not in gone for run in self.state.open_runs)
        promised = sum(each.trigger is Trigger.CATCH_UP for each in decision.enqueue)
        new = len(decision.enqueue) - promised
        if new and self.task.policies.concurrency is ConcurrencyPolicy.QUEUE:
            assert waiting + promised + new <= self.task.policies.max_queued
        elif new:
            assert self.task.policies.concurrency is ConcurrencyPolicy.REPLACE
            assert new <= self.limit()
        unproven = {run.run_id for run in self.state.open_runs if not run.proven}
        assert {*decision.lost, *decision.rerun} <= unproven
        assert not decision.rerun or kept <= self.limit()
        if unproven - {*decision.lost, *decision.rerun}:
            assert self.task.policies.on_lost is OnLost.RERUN
            assert has_no_room, "it waits until it may run again"

    def makes_up_within_bounds(self, decision: Decision) -> None:
        policies = self.task.policies
        late = [each for each in decision.start + decision.enqueue if self.now - each.scheduled_at >= ON_TIME]
        assert all(each.trigger is Trigger.CATCH_UP for each in late)
        for each in decision.start + decision.enqueue:
            lateness = self.now - each.scheduled_at
            assert policies.starting_deadline is None or lateness <= policies.starting_deadline
            assert each in late or each.trigger is Trigger.SCHEDULE
        allowed = {policies.missed_runs.policy}
        if self.state.suspended and policies.on_resume is not MissedRunsPolicy.SKIP:
            allowed = {policies.on_resume}
        elif self.state.schedule_id != self.task.schedule_id:
            allowed |= {policies.on_schedule_change}
        if MissedRunsPolicy.ALL in allowed:
            waiting = [
                run for run in self.state.open_runs if run.phase is OpenPhase.QUEUED and run.trigger is Trigger.CATCH_UP
            ]
            assert (
                not late
                or len(late) + len(waiting) <= policies.missed_runs.max_runs
                or allowed != {MissedRunsPolicy.ALL}
            )
        if allowed == {MissedRunsPolicy.LATEST}:
            assert len(decision.start + decision.enqueue) <= 1
        if allowed == {MissedRunsPolicy.SKIP}:
            assert not late or policies.starting_deadline is not None
            assert len(decision.start + decision.enqueue) <= MOST_AT_ONCE
        elif policies.missed_runs.max_age is not None and MissedRunsPolicy.SKIP not in allowed:
            assert all(self.now - each.scheduled_at <= policies.missed_runs.max_age for each in late)

    def gives_true_reasons(self, decision: Decision) -> None:
        policies = self.task.policies
        for each in decision.end:
            lateness = self.now - each.scheduled_at
            assert each.message
            match each.reason:
                case Reason.DEADLINE_EXCEEDED:
                    assert policies.starting_deadline is not None
                    assert lateness > policies.starting_deadline
                case Reason.DOWNTIME | Reason.SCHEDULE_CHANGED:
                    assert lateness > 0
                case Reason.SUSPENDED:
                    assert self.task.suspended or (self.state.suspended and lateness > 0)
                case Reason.QUEUE_FULL:
                    assert policies.concurrency is ConcurrencyPolicy.QUEUE
                case Reason.OVERLAP | Reason.REPLACED:
                    pass
                case _:
                    raise AssertionError(each)
        for run_id, _, reason, _ in decision.drop:
            run = next(run for run in self.state.open_runs if run.run_id == run_id)
            assert run.phase is OpenPhase.QUEUED
            if reason is Reason.DEADLINE_EXCEEDED:
                assert policies.starting_deadline is not None
                assert self.now - run.scheduled_at > policies.starting_deadline
            else:
                assert (policies.concurrency, reason) == (ConcurrencyPolicy.REPLACE, Reason.REPLACED)

    def leaves_the_suspended_alone(self, decision: Decision) -> None:
        if self.task.suspended:
            assert not decision.start
            assert not decision.enqueue
            assert not decision.rerun
            triggers = {run.run_id: run.trigger for run in self.state.open_runs}
            assert all(triggers[run_id] is Trigger.MANUAL for run_id in decision.dequeue)

    def asks_again_in_time(self, decision: Decision) -> None:
        """Nothing is due before the instant told, and something is at it."""
        again = decision.ask_again_at
        for instant in (self.now, self.now + 1, self.now + 59, self.now + HOUR, (again or 0) - 1):
            if instant >= self.now and (again is None or instant < again):
                assert not has_effects(decide(self.task, self.state, instant))
        if again is not None:
            assert again > self.now
            assert has_effects(decide(self.task, self.state, again))

    @invariant()
    def no_run_starts_twice(self) -> None:
        for run_id, count in getattr(self, "starts", {}).items():
            assert count <= 1 + self.reruns[run_id]

    @invariant()
    def a_run_is_open_or_has_an_outcome(self) -> None:
        if hasattr(self, "state"):
            assert not {run.run_id for run in self.state.open_runs} & self.outcomes.keys()

    def teardown(self) -> None:
        """In the end, when nobody interferes any more, every run has an outcome."""
        if not hasattr(self, "state"):
            return
        self.task = self.task._replace(suspended=False)
        for _ in range(200):
            self.a_process_decides("one", None, lazy=False)
            for run in self.proven():
                self.ends(run.run_id, Outcome.SUCCEEDED)
                self.forgets(run.run_id)
            if not self.state.open_runs:
                break
        assert not self.state.open_runs, "a run waits for ever"
        assert {name_of(tick) for tick in self.told} <= self.outcomes.keys()
        assert self.starts.keys() <= self.outcomes.keys()

    # ---- small helpers

    def limit(self) -> float:
        policies = self.task.policies
        if policies.max_concurrent is not None:
            return policies.max_concurrent
        return float("inf") if policies.concurrency is ConcurrencyPolicy.ALLOW else 1

    def proven(self) -> list[OpenRun]:
        return [run for run in self.state.open_runs if run.proven and run.phase is not OpenPhase.QUEUED]

    def active_after(self, decision: Decision) -> int:
        taken = [run for run in self.state.open_runs if run.phase is not OpenPhase.QUEUED]
        return sum(run.proven or run.run_id in decision.rerun for run in taken)

    def starts_in(self, process: str, run_id: str) -> None:
        self.starts[run_id] += 1
        self.owners[run_id] = process
        self.processes[process].running.add(run_id)

    def ends(self, run_id: str, outcome: Outcome) -> None:
        assert run_id not in self.outcomes, f"{run_id} has two outcomes"
        self.outcomes[run_id] = outcome

    def forgets(self, run_id: str) -> None:
        self.state = self.state._replace(open_runs=tuple(run for run in self.state.open_runs if run.run_id != run_id))
        self.owners.pop(run_id, None)


def has_effects(decision: Decision) -> bool:
    return any(
        (
            decision.start,
            decision.enqueue,
            decision.end,
            decision.end_many,
            decision.cancel,
            decision.dequeue,
            decision.drop,
            decision.lost,
            decision.rerun,
        )
    )


TestEveryTickEndsOnce = Machine.TestCase
TestEveryTickEndsOnce.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
