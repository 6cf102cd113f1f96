"""What a native CronJob can do of what a task says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from timewright.decisions.timetable_of_spec import timetable_of
from timewright.resources.model import format_time
from timewright.resources.run_policies import MissedRunsSpec
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import ConcurrencyPolicy, OnLost
from timewright.timetable import Schedule, ScheduleError
from timewright.timetable.source import Limits

REMEDY = "use mode: Daemon"


@dataclass(frozen=True, slots=True)
class NativeSchedule:
    """The `schedule` and `timeZone` of a CronJob."""

    expression: str
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class NotNative:
    """Why a native CronJob cannot do it: field, value, and remedy."""

    message: str


def beyond_native(spec: ScheduledTaskSpec) -> NotNative | None:
    """Return the first policy or limit that no native CronJob has, whatever the schedule."""
    for field, value, problem in _without_native_form(spec):
        otherwise = "make a task of each" if field == "schedules" else "remove it"
        return NotNative(f"spec.{field}: {value}: {problem}; {REMEDY}, or {otherwise}")
    return None


def native_schedule(spec: ScheduledTaskSpec, schedule: Schedule, seed: str | None) -> NativeSchedule | NotNative:
    """Compile a schedule that stays within what `beyond_native` lets pass, if native cron can say exactly the same.

    What Kubernetes accepts as it is stays as it is. What had to be compiled was compiled for UTC where there is no
    `timeZone`, so its CronJob names that.
    """
    (source, *_) = schedule.sources
    if source.native and schedule.limits == Limits():
        return NativeSchedule(source.expression, spec.time_zone)
    problem = _not_exact(schedule)
    if problem is None:
        return NativeSchedule(schedule.compile().expressions[0], spec.time_zone or "UTC")
    field = _to_blame(spec, seed)
    return NotNative(f"spec.{field}: {_shown(spec, field)}: {problem}; {REMEDY}")


def _without_native_form(spec: ScheduledTaskSpec) -> Iterator[tuple[str, object, str]]:
    """Yield field, value and problem."""
    if len(spec.schedules or ()) > 1:
        yield "schedules", f"{len(spec.schedules or ())} expressions", "a native CronJob has one"
    if spec.calendars:
        yield "calendars", f"{len(spec.calendars)} of them", "a native CronJob knows no closed days"
    for field, instant in (("startAt", spec.start_at), ("endAt", spec.end_at)):
        if instant is not None:
            yield field, format_time(instant), "a native CronJob has no first and no last tick"
    yield from _policies_without_native_form(spec)


def _policies_without_native_form(spec: ScheduledTaskSpec) -> Iterator[tuple[str, object, str]]:
    if spec.concurrency_policy is ConcurrencyPolicy.QUEUE:
        yield "concurrencyPolicy", "Queue", "a native CronJob keeps no ticks waiting"
    if spec.max_concurrent is not None:
        yield "maxConcurrent", spec.max_concurrent, "a native CronJob does not count its runs"
    if spec.locks is not None:
        yield "locks", ", ".join(spec.locks), "a native CronJob waits for no other"
    if spec.jitter_seconds is not None:
        yield "jitterSeconds", spec.jitter_seconds, "a native CronJob starts its runs when they are due"
    if spec.missed_runs is not None and spec.missed_runs != MissedRunsSpec():
        problem = "a native CronJob makes up for the latest tick, and for no other"
        yield "missedRuns", spec.missed_runs.to_manifest(), problem
    for field, policy in (("onResume", spec.on_resume), ("onScheduleChange", spec.on_schedule_change)):
        if policy is not None:
            yield field, policy.value, "a native CronJob decides this itself"
    if spec.on_lost is OnLost.RERUN:
        yield "onLost", "Rerun", "a native CronJob starts no run again"


def _not_exact(schedule: Schedule) -> str | None:
    """Return why a schedule has no single native form, or None where it has one."""
    try:
        expressions, gate = schedule.compile()
    except ScheduleError as error:
        return error.problem
    nearest = " and ".join(repr(each) for each in expressions)
    if gate is not None:
        return f"native cron cannot say this; the nearest that it can, {nearest}, fires too often"
    return None if len(expressions) == 1 else f"native cron needs {len(expressions)} expressions to say this: {nearest}"


def _to_blame(spec: ScheduledTaskSpec, seed: str | None) -> str:
    """Return the field without which native cron could say the rest: the last one to go of a schedule that it can."""
    without: dict[str, Any] = {"daylight_saving": None, "windows": None}
    expressions_field = "schedules" if spec.schedules else "schedule"
    bare = timetable_of(spec.model_copy(update=without), seed=seed, native=True)
    if _not_exact(bare) is not None:
        return expressions_field
    narrowed = timetable_of(spec.model_copy(update={"daylight_saving": None}), seed=seed, native=True)
    return "windows" if _not_exact(narrowed) is not None else "daylightSaving"


def _shown(spec: ScheduledTaskSpec, field: str) -> object:
    if field == "windows":
        return spec.windows
    if field == "daylightSaving" and spec.daylight_saving is not None:
        return spec.daylight_saving.to_manifest()
    return repr(spec.expressions[0])
