"""What the status of a task and of a run say, and that counters stay exact whatever happens in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.decisions.seen import NOON, at, done_job, failed_job, finished_run, job, run
from timewright.decisions import run_status
from timewright.decisions.acceptance import Accepted, Refused, accept
from timewright.decisions.observed import ObservedJob, ObservedRun
from timewright.decisions.result import Obstacle, Result
from timewright.decisions.retention import expired_jobs, expired_runs
from timewright.decisions.status import (
    ACTIVE_LISTED,
    accepted_conditions,
    count_runs,
    healthy_condition,
    summarize_runs,
    with_conditions,
)
from timewright.resources.scheduled_task import ScheduledTaskSpec, ScheduledTaskStatus
from timewright.resources.vocabulary import Outcome, Phase, Trigger

FRESH = ScheduledTaskStatus()


def total(status: ScheduledTaskStatus) -> int:
    return sum(status.counters.model_dump().values())


# Counting


def test_every_finished_run_is_counted_under_its_outcome() -> None:
    runs = [finished_run(outcome.value, outcome) for outcome in Outcome]

    status = count_runs(FRESH, [*runs, run("active")], [])

    assert status.counters.model_dump() == dict.fromkeys((outcome.value.lower() for outcome in Outcome), 1)


def test_counting_again_changes_nothing() -> None:
    runs = [finished_run("a"), finished_run("b", Outcome.FAILED), run("c")]
    once = count_runs(FRESH, runs, [])

    assert count_runs(once, list(reversed(runs)), []) == once


def test_a_run_that_a_daemon_had_counted_before_it_wrote_it_is_not_counted_again() -> None:
    status = count_runs(FRESH, [replace(finished_run("a", Outcome.FAILED), is_counted=True), finished_run("b")], [])

    assert total(status) == status.counters.succeeded == 1
    assert status.counted_runs == ["a", "b"]


def test_a_name_is_remembered_while_its_task_run_or_its_job_is_there() -> None:
    status = count_runs(FRESH, [finished_run("a"), finished_run("b")], [])

    status = count_runs(status, [finished_run("a")], [done_job(name="b")])
    assert status.counted_runs == ["a", "b"]
    status = count_runs(status, [], [done_job(name="job-of-a", run_name="a")])
    assert status.counted_runs == ["a"]
    assert count_runs(status, [], []).counted_runs == []
    assert total(status) == 2


def test_a_new_run_under_the_name_of_one_that_was_removed_counts_too() -> None:
    old_job = done_job(name="now-1", run_name="now")
    status = count_runs(FRESH, [finished_run("now")], [old_job])

    status = count_runs(status, [run("now", uid="another")], [old_job])
    status = count_runs(status, [finished_run("now", uid="another")], [old_job])

    assert status.counters.succeeded == 2


def test_the_latest_run_is_the_one_that_finished_last_of_those_that_started() -> None:
    runs = [
        finished_run("early", minutes=1),
        finished_run("late", Outcome.FAILED, minutes=5),
        finished_run("skipped", Outcome.SKIPPED, minutes=9, job_uid=None),
        run("active"),
    ]

    status = count_runs(FRESH, runs, [])

    assert (status.last_run, status.last_outcome) == ("late", Outcome.FAILED)


def test_the_latest_run_stays_the_latest_when_its_record_is_removed_before_older_ones() -> None:
    failure = finished_run("failure", Outcome.FAILED, minutes=1)
    status = count_runs(FRESH, [failure, finished_run("success", minutes=2)], [])

    status = count_runs(status, [failure], [])

    assert (status.last_run, status.last_outcome) == ("success", Outcome.SUCCEEDED)


class Accounting(RuleBasedStateMachine):
    """A task whose operator may die after any write, while users delete what they like.

    It makes the writes of a reconciliation in their true order: a TaskRun for each Job that has none, outcomes, the
    counters, then what retention removes. `writes` is how many it gets done before it dies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, ObservedJob] = {}
        self.runs: dict[str, ObservedRun] = {}
        self.status = ScheduledTaskStatus()
        self.ticks = 0

    @initialize(succeeded=st.integers(0, 2), failed=st.integers(0, 2), jobs=st.integers(0, 2))
    def choose_limits(self, succeeded: int, failed: int, jobs: int) -> None:
        self.spec = ScheduledTaskSpec.model_validate(
            {
                "successfulRunsHistoryLimit": succeeded,
                "failedRunsHistoryLimit": failed,
                "successfulJobsHistoryLimit": jobs,
                "failedJobsHistoryLimit": jobs,
            }
        )

    @rule()
    def a_tick_makes_a_job(self) -> None:
        self.ticks += 1
        name = f"tick-{self.ticks}"
        self.jobs[name] = job(name, created_at=at(self.ticks), start_time=at(self.ticks))

    @rule(data=st.data(), succeeded=st.booleans())
    def a_job_finishes(self, data: st.DataObject, succeeded: bool) -> None:
        active = sorted(name for name, each in self.jobs.items() if not each.finished)
        if active:
            name = data.draw(st.sampled_from(active))
            self.jobs[name] = replace(self.jobs[name], succeeded=succeeded, finished_at=at(self.ticks))

    @rule(data=st.data())
    def somebody_deletes_a_task_run_whose_job_is_there(self, data: st.DataObject) -> None:
        names = sorted(self.runs.keys() & self.jobs.keys())
        if names:
            del self.runs[data.draw(st.sampled_from(names))]

    @rule(data=st.data())
    def somebody_deletes_a_job_whose_task_run_is_there(self, data: st.DataObject) -> None:
        names = sorted(self.runs.keys() & self.jobs.keys())
        if names:
            del self.jobs[data.draw(st.sampled_from(names))]

    @rule(writes=st.integers(0, 12))
    def the_operator_dies_after_some_writes(self, writes: int) -> None:
        self.reconcile(writes)

    @rule()
    def the_operator_gets_through(self) -> None:
        self.reconcile(10_000)

    def reconcile(self, writes: int) -> None:
        for step in (self.create_records, self.settle_records, self.count, self.remove_jobs, self.remove_runs):
            for write in step():
                if writes == 0:
                    return
                writes -= 1
                write()

    def create_records(self) -> list[Any]:
        missing = [name for name in self.jobs if name not in self.runs and name not in self.status.counted_runs]
        return [
            lambda name=name: self.runs.update({name: run(name, trigger=Trigger.SCHEDULE, job_uid=f"uid of {name}")})
            for name in missing
        ]

    def settle_records(self) -> list[Any]:
        writes = []
        for name, each in self.runs.items():
            found = self.jobs.get(name)
            if each.finished or (found is not None and not found.finished):
                continue
            outcome = Outcome.LOST if found is None else Outcome.SUCCEEDED if found.succeeded else Outcome.FAILED
            settled = replace(each, outcome=outcome, completion_time=at(self.ticks))
            writes.append(lambda name=name, settled=settled: self.runs.update({name: settled}))
        return writes

    def count(self) -> list[Any]:
        status = count_runs(self.status, list(self.runs.values()), list(self.jobs.values()))
        return [lambda: setattr(self, "status", status)] if status != self.status else []

    def remove_jobs(self) -> list[Any]:
        gone = expired_jobs(self.jobs.values(), set(self.status.counted_runs), self.spec)
        return [lambda name=each.name: self.jobs.pop(name, None) for each in gone]

    def remove_runs(self) -> list[Any]:
        gone = expired_runs(self.runs.values(), set(self.status.counted_runs), self.spec, at(self.ticks))
        return [lambda name=each.name: self.runs.pop(name, None) for each in gone]

    @invariant()
    def no_run_is_counted_twice(self) -> None:
        assert total(self.status) <= self.ticks
        assert len(self.status.counted_runs) == len(set(self.status.counted_runs))

    @invariant()
    def what_is_remembered_is_bounded_by_what_is_there(self) -> None:
        reconciled = count_runs(self.status, list(self.runs.values()), list(self.jobs.values()))
        assert set(reconciled.counted_runs) <= self.runs.keys() | self.jobs.keys()

    @precondition(lambda self: self.ticks)
    @rule()
    def in_the_end_every_run_is_counted_once(self) -> None:
        for _ in range(3):
            for name, each in list(self.jobs.items()):
                if not each.finished:
                    self.jobs[name] = replace(each, succeeded=True, finished_at=at(self.ticks))
            self.reconcile(10_000)
        assert total(self.status) == self.ticks


TestAccounting = Accounting.TestCase
TestAccounting.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


# Summary


def test_the_summary_tells_of_ticks_successes_and_active_runs() -> None:
    runs = [
        finished_run("a", minutes=1, trigger=Trigger.SCHEDULE, scheduled_at=at(0)),
        finished_run("b", Outcome.FAILED, minutes=6, trigger=Trigger.SCHEDULE, scheduled_at=at(5)),
        run("late", created_at=at(9), job_name="late-1"),
        run("early", created_at=at(8), job_name="early-1"),
        run("waits", created_at=at(9)),
        run("by-hand", scheduled_at=at(99)),
    ]

    status = summarize_runs(FRESH, runs, [job("tick", scheduled_at=at(10))])

    assert status.last_tick == at(10)
    assert status.last_success_time == at(1)
    assert [(each.name, each.job_name) for each in status.active] == [("early", "early-1"), ("late", "late-1")]
    assert status.active_count == 2


def test_neither_last_tick_nor_last_success_goes_backwards_when_records_are_removed() -> None:
    before = FRESH.model_copy(update={"last_tick": at(10), "last_success_time": at(11)})

    after = summarize_runs(before, [finished_run("old", minutes=1, trigger=Trigger.SCHEDULE, scheduled_at=at(0))], [])

    assert (after.last_tick, after.last_success_time) == (at(10), at(11))


def test_many_active_runs_are_all_counted_but_not_all_listed() -> None:
    runs = [run(f"run-{number}", job_name="j", created_at=at(number)) for number in range(ACTIVE_LISTED + 5)]

    status = summarize_runs(FRESH, runs, [])

    assert (len(status.active), status.active_count) == (ACTIVE_LISTED, ACTIVE_LISTED + 5)


# Conditions

VALID = accept({"schedule": "@daily", "command": ["true"]})
REFUSED = Refused("InvalidSchedule", "spec.schedule: no")


@pytest.mark.parametrize(
    ("verdict", "not_ready", "running", "expected"),
    [
        (VALID, None, 3, {"Accepted": ("True", "Valid"), "Ready": ("True", "Applied")}),
        (VALID, ("Forbidden", "quota"), 2, {"Accepted": ("True", "Valid"), "Ready": ("False", "Forbidden")}),
        (REFUSED, None, 2, {"Accepted": ("False", "InvalidSchedule"), "Ready": ("False", "NotAccepted")}),
    ],
)
def test_accepted_and_ready_tell_apart_what_is_valid_and_what_is_applied(
    verdict: Accepted | Refused,
    not_ready: tuple[str, str] | None,
    running: int,
    expected: dict[str, tuple[str, str]],
) -> None:
    conditions = accepted_conditions(verdict, not_ready, 3, running, NOON)

    assert {each.type: (each.status, each.reason) for each in conditions} == expected
    assert all(each.observed_generation == 3 for each in conditions)


def test_a_refused_edit_tells_which_generation_goes_on() -> None:
    goes_on, nothing = (accepted_conditions(REFUSED, None, 3, running, NOON)[1] for running in (2, None))

    assert "generation 2 keeps running" in goes_on.message
    assert "keeps running" not in nothing.message


@pytest.mark.parametrize(
    ("last", "status", "reason"),
    [
        (None, "Unknown", "NoRunYet"),
        (Outcome.SUCCEEDED, "True", "LastRunSucceeded"),
        (Outcome.FAILED, "False", "LastRunFailed"),
        (Outcome.LOST, "False", "LastRunLost"),
        (Outcome.CANCELLED, "False", "LastRunCancelled"),
    ],
)
def test_healthy_tells_how_the_last_run_went(last: Outcome | None, status: str, reason: str) -> None:
    condition = healthy_condition(last, "a-run", 1, NOON)

    assert (condition.status, condition.reason) == (status, reason)


def test_conditions_laid_over_a_status_keep_their_transition_times() -> None:
    first = with_conditions(FRESH, accepted_conditions(VALID, None, 1, 1, NOON))

    assert with_conditions(first, accepted_conditions(VALID, None, 1, 1, at(5))) == first


# Runs


def test_a_pending_run_tells_what_it_waits_for() -> None:
    status = run_status.pending(run(), "TaskNotReady", "no CronJob yet")

    assert (status.phase, status.reason, status.message) == (Phase.PENDING, "TaskNotReady", "no CronJob yet")
    assert status.conditions == []


def test_a_running_run_tells_its_job_and_what_is_in_its_way() -> None:
    started = job(start_time=at(0.2))
    obstacle = Obstacle("ImagePullFailed", "ErrImagePull: no such host", hopeless=False)

    status = run_status.running(run(scheduled_at=NOON), started, obstacle)

    assert (status.phase, status.job_uid, status.start_delay_seconds) == (Phase.RUNNING, started.uid, 12)
    assert (status.reason, status.message) == ("ImagePullFailed", "ErrImagePull: no such host")
    assert run_status.running(run(), started, None).reason is None


@pytest.mark.parametrize(
    ("scheduled", "created", "started", "delay"),
    [(at(0), at(1), at(2), 120), (None, at(1), at(2), 60), (at(5), at(1), at(2), 0), (at(0), at(0), None, None)],
)
def test_the_start_delay_is_measured_from_the_nominal_time_and_never_negative(
    scheduled: Any, created: Any, started: Any, delay: int | None
) -> None:
    status = run_status.running(run(scheduled_at=scheduled, created_at=created), job(start_time=started), None)

    assert status.start_delay_seconds == delay


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_finished_run_has_one_condition_for_kubectl_wait(outcome: Outcome) -> None:
    status = run_status.finished(run(), done_job(start_time=NOON), Result(outcome, "Reason", "why"), at(9))

    (condition,) = status.conditions
    assert condition.type == ("Complete" if outcome is Outcome.SUCCEEDED else "Failed")
    assert (condition.status, condition.reason, condition.message) == ("True", "Reason", "why")
    assert (status.phase, status.outcome, status.completion_time) == (Phase.FINISHED, outcome, at(1))


def test_a_run_that_never_started_ends_when_that_was_decided() -> None:
    status = run_status.finished(run(), None, Result(Outcome.SKIPPED, "Overlap", "busy"), at(9))

    assert (status.completion_time, status.start_time, status.job_name) == (at(9), None, None)


def test_a_run_whose_job_is_gone_still_names_it() -> None:
    lost = run(job_name="backup-1", job_uid="j")

    status = run_status.finished(lost, None, Result(Outcome.LOST, "JobVanished", "gone"), at(9))

    assert (status.job_name, status.job_uid) == ("backup-1", "j")


def test_a_message_is_cut_and_never_empty_in_the_condition() -> None:
    status = run_status.finished(run(), failed_job(), Result(Outcome.FAILED, "Exception", "x" * 10_000), at(9))
    assert len(status.message or "") == 4096

    status = run_status.finished(run(), failed_job(), Result(Outcome.FAILED, "ImagePullFailed", ""), at(9))
    assert status.message is None
    assert status.conditions[0].message == "ImagePullFailed"
