"""Tells those whom a task of mode CronJob names of what becomes of its runs.

What is told follows the write of the record, which happens once; so a notice is sent at most once, and is lost with an
operator that ends in between.
"""

from __future__ import annotations

from datetime import datetime

from timewright.controller.context import Sync
from timewright.decisions.notices import Facts, Notice, failing_streak, notices_of
from timewright.decisions.observed import ObservedJob, ObservedRun
from timewright.decisions.result import Result
from timewright.notices.telling import Subject
from timewright.resources.task_run import TaskRunStatus
from timewright.resources.vocabulary import Mode, NoticeEvent


def tell_started(sync: Sync, run: ObservedRun, job: ObservedJob) -> None:
    """Tell that a run has started."""
    subject = _subject(sync)
    if subject is not None and sync.operator.telling is not None:
        facts = Facts(run.name, _nominal(run), started_at=_seconds(job.start_time))
        sync.operator.telling.tell(subject, [Notice(NoticeEvent.STARTED, facts)])


def tell_long(sync: Sync, run: ObservedRun, job: ObservedJob) -> None:
    """Tell of a run that has been going on for long, and see to it that it is looked at when it will have been."""
    subject, told = _subject(sync), sync.operator.told_long
    if subject is None or sync.operator.telling is None or job.start_time is None:
        return
    for index, rule in enumerate(subject.rules):
        if rule.long_running_seconds is None or (run.uid, index) in told:
            continue
        left = rule.long_running_seconds - (sync.now - job.start_time).total_seconds()
        if left > 0:
            sync.wake_in(left + 0.1)
            continue
        told.add((run.uid, index))
        facts = Facts(run.name, _nominal(run), started_at=_seconds(job.start_time))
        sync.operator.telling.tell_by(subject, index, Notice(NoticeEvent.LONG_RUNNING, facts))


def tell_end(sync: Sync, run: ObservedRun, result: Result, status: TaskRunStatus) -> None:
    """Tell how a run ended, with how it was before."""
    operator, subject = sync.operator, _subject(sync)
    if subject is None or operator.telling is None:
        return
    operator.told_long.difference_update((run.uid, index) for index in range(len(subject.rules)))
    before = [each for each in operator.store.runs.of(sync.key) if each.finished and each.uid != run.uid]
    before.sort(key=lambda each: (each.completion_time or each.created_at, each.name))
    streak = failing_streak(each.outcome for each in before if each.outcome is not None)
    facts = Facts(
        run.name,
        _nominal(run),
        result.outcome,
        result.reason,
        result.message,
        _seconds(status.start_time),
        _seconds(status.completion_time),
    )
    operator.telling.tell(subject, notices_of(streak, [facts]))


def _subject(sync: Sync) -> Subject | None:
    spec = sync.verdict.spec
    if spec is None or not spec.notify:
        return None
    if spec.mode is not Mode.CRON_JOB and any(rule.secrets for rule in spec.notify):
        return None  # its ticks are on their way to a daemon, which has the Secrets
    return Subject(sync.task.uid, sync.key.namespace, sync.task.name, spec.notify)


def _nominal(run: ObservedRun) -> float:
    return (run.scheduled_at or run.created_at).timestamp()


def _seconds(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()
