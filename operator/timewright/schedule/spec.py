"""From a declared task to the spec of a ScheduledTask."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from timewright.resources.model import format_time
from timewright.resources.vocabulary import ConcurrencyPolicy, LockPolicy
from timewright.schedule.times_of_day import EVERY_DAY
from timewright.schedule.work import Command, Request

if TYPE_CHECKING:
    from timewright.engine.task import Task
    from timewright.schedule.declaration import Declaration
    from timewright.schedule.settings import Settings
    from timewright.timetable.windows import Window


def spec_of(declaration: Declaration, task: Task, image: str) -> dict[str, Any]:
    """Return the spec of a task of which nothing is `inexpressible`."""
    settings = declaration.settings
    spec: dict[str, Any] = {**_when(task, settings), **_policies(settings)}
    work = declaration.work
    if isinstance(work, Command):
        spec |= {"image": image, "command": work.arguments}
    elif isinstance(work, Request):
        spec["http"] = _http(work)
    else:
        module, qualname = work.function.__module__, work.function.__qualname__
        spec |= {"image": image, "python": _without_empty(call=f"{module}:{qualname}", args=list(work.args))}
        if work.kwargs:
            spec["python"]["kwargs"] = dict(work.kwargs)
    if settings.environment:
        spec["env"] = [{"name": name, "value": value} for name, value in settings.environment]
    if settings.memory_limit is not None:
        spec["resources"] = {"limits": {"memory": str(settings.memory_limit)}}
    if settings.parameters:
        spec["parameters"] = [
            _without_empty(
                name=each.name,
                type=each.type,
                description=each.description,
                default=each.default,
                allowedValues=None if each.allowed_values is None else list(each.allowed_values),
            )
            for each in settings.parameters
        ]
    return spec


def _when(task: Task, settings: Settings) -> dict[str, Any]:
    timetable = task.timetable
    if timetable is None:
        return {"schedule": "@yearly", "suspend": True}
    expressions = timetable.expressions
    said: dict[str, Any] = {"schedule": expressions[0]} if len(expressions) == 1 else {"schedules": list(expressions)}
    said["timeZone"] = timetable.time_zone
    limits = timetable.limits
    if limits.windows:
        said["windows"] = [_window(window) for window in limits.windows]
    if settings.calendars:
        said["calendars"] = [calendar.manifest for calendar in settings.calendars]
        if settings.when_closed is not None:
            said["excluded"] = settings.when_closed.value
    if settings.daylight_saving is not None:
        gap, overlap = settings.daylight_saving
        said["daylightSaving"] = {"gap": gap.value, "overlap": overlap.value}
    for field, second in (("startAt", limits.start), ("endAt", limits.end)):
        if second is not None:
            said[field] = _time(second)
    if settings.suspended:
        said["suspend"] = True
    return said


def _time(second: int) -> str:
    return format_time(datetime.fromtimestamp(second, UTC))


def _window(window: Window) -> str:
    """Write a window. Its ends are at full minutes, or where no tick at a full minute can tell the difference."""
    start, end = -(-window.start // 60), window.end // 60
    days = ",".join(name for day, name in enumerate(_DAYS) if window.weekdays >> day & 1)
    text = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    on = "" if window.weekdays == EVERY_DAY else f" on {days}"
    return f"{'not ' if window.negated else ''}between {text}{on}"


_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def _http(request: Request) -> dict[str, Any]:
    said = _without_empty(
        method=request.method,
        url=request.url,
        headers=[{"name": name, "value": value} for name, value in request.headers],
        body=request.body,
    )
    if request.expected_status != ("2xx",):
        said["expectedStatus"] = list(request.expected_status)
    return said


def _policies(settings: Settings) -> dict[str, Any]:
    """Return the policies of which something was said."""
    said = {field: getattr(settings, name).value for field, name in _POLICIES.items() if name in settings.__dict__}
    if settings.concurrency is ConcurrencyPolicy.QUEUE:
        said["maxQueued"] = settings.max_queued
    if settings.locks:
        said["locks"] = list(settings.locks)
        if settings.skip_if_locked:
            said["lockPolicy"] = LockPolicy.SKIP.value
    if settings.missed_runs is not None:
        policy, runs, age = settings.missed_runs
        said["missedRuns"] = _without_empty(policy=policy.value, maxRuns=runs, maxAgeSeconds=age)
    if settings.retry is not None:
        limit, backoff, longest, _ = settings.retry
        said["retry"] = {"limit": limit, "backoffSeconds": _up(backoff), "maxBackoffSeconds": _up(longest)}
    succeeded, others, age = settings.history or (None, None, None)
    return said | _without_empty(
        maxConcurrent=settings.max_concurrent,
        startingDeadlineSeconds=settings.starting_deadline,
        jitterSeconds=settings.jitter or None,
        timeoutSeconds=None if settings.timeout is None else _up(settings.timeout),
        successfulRunsHistoryLimit=succeeded,
        failedRunsHistoryLimit=others,
        runsHistoryMaxAgeSeconds=age,
    )


_POLICIES = {
    "concurrencyPolicy": "concurrency",
    "onResume": "on_resume",
    "onScheduleChange": "on_schedule_change",
    "onLost": "on_lost",
}


def _up(seconds: float) -> int:
    return math.ceil(seconds)


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [])}
