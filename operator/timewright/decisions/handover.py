"""What does a task's status say when the ticks change hands? See `ownership` for the rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from timewright.decisions.observed import ObservedCronJob, ObservedJob
from timewright.decisions.overlap import UNLIMITED, most_active
from timewright.decisions.ownership import DEPLOYMENT, NATIVE, Decider
from timewright.decisions.policies import Policies
from timewright.resources.scheduled_task import DeploymentStatus, ScheduledTaskStatus
from timewright.resources.vocabulary import ConcurrencyPolicy, Mode

WAS_RUNNING = "WasRunning"
WAS_SUSPENDED = "WasSuspended"
"""What a CronJob was when it was handed over: the value of its annotation."""


def waits_for_ends(policies: Policies) -> bool:
    """Tell whether the ticks of a task may change hands only when none of its runs is active.

    Whoever takes them over knows nothing of the runs of the other side, so it could start one beside them.
    """
    return most_active(policies) < UNLIMITED


def decides_while_active(policies: Policies) -> bool:
    """Tell whether whoever has the ticks is to go on deciding them until no run is active.

    Of a task that skips them meanwhile they are decided at once, and there is a gap for certain. The ticks of others
    wait, as one that queues or replaces runs may never be without one.
    """
    return policies.concurrency is ConcurrencyPolicy.FORBID and most_active(policies) == 1


def native_watermark(
    status: ScheduledTaskStatus, cron_job: ObservedCronJob | None, jobs: Iterable[ObservedJob], now: datetime
) -> datetime | None:
    """Return the instant up to which a CronJob has decided all ticks; None where there was never one.

    To be asked once the CronJob is suspended and at rest. Instants are aware.

    Args:
        status: the task's status.
        cron_job: the CronJob, with the annotation that says what it was when it was handed over.
        jobs: the task's Jobs as they are now. The CronJob's own `lastScheduleTime` is written after its Job is made.
        now: the present. A CronJob that its user suspended has decided, by not starting them, all ticks until now.

    """
    if cron_job is not None and cron_job.handed_over == WAS_SUSPENDED:
        return now
    decided = [status.watermark, status.last_tick]
    if cron_job is not None:
        decided += [cron_job.created_at, cron_job.last_schedule_time]
        decided += [job.scheduled_at for job in jobs if job.controller_uid == cron_job.uid]
    return max((each for each in decided if each is not None), default=None)


def handed_to(
    status: ScheduledTaskStatus, decider: Decider, watermark: datetime | None, deployment: str
) -> ScheduledTaskStatus:
    """Return the status by which the ticks are another one's from now on.

    `deployment` is the name of the Deployment of an application that keeps running.
    """
    if decider == NATIVE:
        changes: dict[str, object] = {"scheduled_by": Mode.CRON_JOB, "daemon": None, "deployment": None}
    elif decider == DEPLOYMENT:
        made = DeploymentStatus(name=deployment)
        changes = {"scheduled_by": Mode.DAEMON, "daemon": None, "deployment": made}
    else:
        changes = {"scheduled_by": Mode.DAEMON, "daemon": decider.daemon, "deployment": None}
    ticks: dict[str, object] = {"next_tick": None, "next_ticks": []} if decider != NATIVE else {}
    # What a daemon kept beside its own watermark does not go with another one.
    kept = {} if watermark == status.watermark else {"decided": None}
    return status.model_copy(update={**changes, **ticks, **kept, "watermark": watermark})


def taken_up(status: ScheduledTaskStatus) -> ScheduledTaskStatus:
    """Return the status of a task whose CronJob has gone on from the watermark, and keeps its own account from here."""
    return status.model_copy(update={"watermark": None, "decided": None})
