"""What does a ScheduledTask's status say?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from timewright.decisions.acceptance import Accepted, Refused
from timewright.decisions.observed import ObservedJob, ObservedRun
from timewright.resources.conditions import Condition, condition, merge_conditions
from timewright.resources.scheduled_task import ActiveRun, ScheduledTaskStatus
from timewright.resources.vocabulary import Outcome, Trigger

ACTIVE_LISTED = 20
"""The most active runs that a status lists; `activeCount` counts them all."""


def count_runs(
    status: ScheduledTaskStatus, runs: Sequence[ObservedRun], jobs: Iterable[ObservedJob]
) -> ScheduledTaskStatus:
    """Return the status with every finished run in its counters, each once, and with the latest of those that started.

    The names of those counted are kept, in the same write as the counters, while their TaskRun or their Job exists: a
    crash at any point neither loses nor doubles a run, and a Job whose TaskRun was removed is not recorded again. A run
    that has no outcome yet cannot have been counted: it has taken over the name of one that was removed.
    """
    present = {run.name for run in runs} | {job.task_run_name for job in jobs}
    present -= {run.name for run in runs if not run.finished}
    counted = [name for name in status.counted_runs if name in present]
    seen = set(counted)
    counters = status.counters
    for run in sorted(runs, key=_order):
        if run.outcome is not None and run.name not in seen:
            counters = counters if run.is_counted else counters.plus(run.outcome)
            counted.append(run.name)
    changes: dict[str, object] = {"counters": counters, "counted_runs": counted}
    # Older runs may be all that is left of the records, so only news can be later than what was the latest.
    last = max((run for run in runs if run.finished and run.job_uid is not None), key=_order, default=None)
    if last is not None and (status.last_run is None or last.name not in seen):
        changes |= {"last_run": last.name, "last_outcome": last.outcome}
    return status.model_copy(update=changes)


def summarize_runs(
    status: ScheduledTaskStatus, runs: Sequence[ObservedRun], jobs: Iterable[ObservedJob]
) -> ScheduledTaskStatus:
    """Return the status with what is known of ticks, successes and active runs."""
    finished = [run for run in runs if run.outcome is not None]
    ticks = [run.scheduled_at for run in runs if run.trigger is Trigger.SCHEDULE and run.scheduled_at is not None]
    ticks += [job.scheduled_at for job in jobs if job.scheduled_at is not None]
    successes = [run.completion_time for run in finished if run.outcome is Outcome.SUCCEEDED and run.completion_time]
    active = sorted((run for run in runs if run.outcome is None and run.job_name), key=lambda run: run.created_at)
    changes: dict[str, object] = {
        "active": [ActiveRun(name=run.name, job_name=run.job_name) for run in active[:ACTIVE_LISTED]],
        "active_count": len(active),
        "last_tick": max([*ticks, *filter(None, [status.last_tick])], default=None),
        "last_success_time": max([*successes, *filter(None, [status.last_success_time])], default=None),
    }
    return status.model_copy(update=changes)


def accepted_conditions(
    verdict: Accepted | Refused,
    not_ready: tuple[str, str] | None,
    generation: int,
    running: int | None,
    now: datetime,
    applied: str = "the CronJob is applied",
) -> list[Condition]:
    """Return the conditions Accepted and Ready.

    `not_ready` is a reason and a message where a valid task could not be applied; `running` is the generation whose
    schedule runs, if any; `applied` tells what a valid task became.
    """
    if isinstance(verdict, Refused):
        goes_on = f"; generation {running} keeps running" if running is not None else ""
        return [
            condition("Accepted", False, verdict.reason, verdict.message, now=now, generation=generation),
            condition("Ready", False, "NotAccepted", verdict.message + goes_on, now=now, generation=generation),
        ]
    accepted = condition("Accepted", True, "Valid", "the spec is valid", now=now, generation=generation)
    if not_ready is not None:
        reason, message = not_ready
        return [accepted, condition("Ready", False, reason, message, now=now, generation=generation)]
    return [accepted, condition("Ready", True, "Applied", applied, now=now, generation=generation)]


def healthy_condition(last: Outcome | None, last_run: str | None, generation: int, now: datetime) -> Condition:
    """Return the condition Healthy: how the run went that finished last."""
    if last is None:
        return condition("Healthy", None, "NoRunYet", "no run has finished yet", now=now, generation=generation)
    well = last is Outcome.SUCCEEDED
    text = f"run {last_run}: {last.value}"
    return condition("Healthy", well, f"LastRun{last.value}", text, now=now, generation=generation)


def with_conditions(status: ScheduledTaskStatus, conditions: Iterable[Condition]) -> ScheduledTaskStatus:
    """Return the status with those conditions; one that did not change keeps its transition time."""
    return status.model_copy(update={"conditions": merge_conditions(status.conditions, conditions)})


def _order(run: ObservedRun) -> tuple[datetime, str]:
    return run.completion_time or run.created_at, run.name
