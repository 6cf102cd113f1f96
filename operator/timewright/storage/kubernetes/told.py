"""What the status of a ScheduledTask tells whoever takes its ticks over. Pure."""

from __future__ import annotations

from datetime import datetime

from timewright.decisions.timetable_of_spec import timetable_of_timing
from timewright.resources.scheduled_task import ScheduledTaskStatus, SinceStatus
from timewright.resources.vocabulary import Outcome
from timewright.storage.kubernetes.journal import Since
from timewright.storage.kubernetes.takeover import Timing, Told
from timewright.timetable.jitter import Jittered, started_until
from timewright.timetable.spread import seed_of_task


def told_by_status(
    namespace: str, name: str, uid: str, created_at: int, status: ScheduledTaskStatus, present: Timing | None
) -> Told:
    """Return what the status of a task tells of its ticks.

    Args:
        namespace: of the task.
        name: of the task.
        uid: of the task.
        created_at: when it was made, in UTC seconds.
        status: its status.
        present: its schedule as it is now; None when that is refused.

    """
    decided, watermark = status.decided, _seconds(status.watermark)
    if decided is None or watermark is None:
        if present is not None:  # who had it before put nothing off
            created_at = started_until(present.ticks, created_at)
            watermark = None if watermark is None else started_until(present.ticks, watermark)
        return Told(created_at, watermark)
    return Told(
        created_at,
        watermark,
        decided.revision,
        decided.schedule_id,
        timing_told(namespace, name, uid, decided.schedule_id, decided.timing),
        decided.suspended,
        tuple(sorted(decided.claimed)),
        tuple(sorted(decided.queued)),
        _since(decided.since),
    )


def timing_told(namespace: str, name: str, uid: str, schedule_id: str, timing: str | None) -> Timing | None:
    """Return the schedule that a status tells; None where it cannot be read."""
    if timing is None:
        return None
    try:
        schedule, jitter = timetable_of_timing(timing, seed=seed_of_task(namespace, name))
    except ValueError:
        return None
    return Timing(schedule_id, Jittered(schedule.ticks, uid, jitter) if jitter else schedule.ticks)


def _since(told: SinceStatus | None) -> Since | None:
    if told is None:
        return None
    counts = {outcome: told.counts.get(outcome.value.lower(), 0) for outcome in Outcome}
    return Since(told.base, {outcome: count for outcome, count in counts.items() if count})


def _seconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())
