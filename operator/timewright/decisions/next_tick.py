"""When does a task tick next, as the native CronJob controller will?"""

from __future__ import annotations

from datetime import datetime

from timewright.timetable import Schedule


def next_native_ticks(schedule: Schedule, asked_from: datetime, now: datetime, count: int) -> list[datetime]:
    """Return the first `count` ticks after `now`, fewer if there are no more. Instants are aware.

    `asked_from` is where the native controller counts from: the CronJob's `status.lastScheduleTime`, or its creation
    (`nextScheduleTimeDuration` in Kubernetes' pkg/controller/cronjob). It matters to `@every`, whose ticks lie whole
    delays after it, and around changes of the clock.
    """
    ticks: list[datetime] = []
    tick = _first_after(schedule, asked_from, now)
    while tick is not None and len(ticks) < count:
        ticks.append(tick)
        tick = schedule.next_after(tick)
    return ticks


def _first_after(schedule: Schedule, asked_from: datetime, now: datetime) -> datetime | None:
    tick = schedule.next_after(asked_from)
    if tick is None or tick > now:
        return tick
    if schedule.expressions[0].startswith("@every"):
        delay = tick - asked_from.replace(microsecond=0)
        return tick + delay * ((now - tick) // delay + 1)
    return schedule.next_after(now)
