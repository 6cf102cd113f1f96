"""Is a ScheduledTask valid beyond what the API server checks, and if not, what should its author do?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from timewright.decisions.native_cron_job import NativeSchedule, NotNative, beyond_native, native_schedule
from timewright.decisions.notice_rules import wrong_notify
from timewright.decisions.parameters import shown, wrong_declaration
from timewright.decisions.timetable_of_spec import timetable_of
from timewright.resources.scheduled_task import KINDS, POD_FIELDS, ScheduledTaskSpec
from timewright.resources.vocabulary import ConcurrencyPolicy, Mode
from timewright.timetable import NeverFiresError, Schedule, ScheduleError, UnknownTimeZoneError


@dataclass(frozen=True, slots=True)
class Accepted:
    """A valid task."""

    spec: ScheduledTaskSpec
    schedule: Schedule
    native: NativeSchedule | None = None
    """What its CronJob says of when; None for a task that none is made of: of mode Daemon, or outside of a cluster."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A task that cannot run as it is written."""

    reason: str
    """One CamelCase word for the condition."""
    message: str
    """Names the field, its value, what was expected, and the remedy."""
    spec: ScheduledTaskSpec | None = None
    """What can be read of it, where it can be read at all: its policies go on applying to runs."""


def accept(raw_spec: dict[str, Any], *, seed: str | None = None, native: bool = True) -> Accepted | Refused:
    """Judge the spec of a ScheduledTask.

    Args:
        raw_spec: the spec as it came from the API or was read from a file.
        seed: what `H` is spread by, see `timetable.spread.seed_of_task`; without it `H` is refused.
        native: whether it is in a cluster, where a task of mode CronJob becomes a native one and must not say more than
            that can. Outside of one, either mode may say everything.

    """
    try:
        spec = ScheduledTaskSpec.model_validate(raw_spec)
    except ValidationError as error:
        return Refused("InvalidSpec", describe(error))
    refused = _wrong_kind(raw_spec) or _too_large(spec) or _wrong_parameter(spec) or _wrong_policy(spec)
    compiled = native and spec.mode is Mode.CRON_JOB
    if refused is None and native:
        refused = (_beyond_native(spec) if compiled else None) or _wrong_retry(spec)
    refused = refused or _wrong_notify(spec, native)
    verdict = refused or _with_schedule(spec, seed, compiled)
    return replace(verdict, spec=spec) if isinstance(verdict, Refused) else verdict


def describe(error: ValidationError) -> str:
    """Tell what pydantic refused as `field: problem`, in the manifest's own field names."""
    problems = []
    for each in error.errors(include_url=False):
        path = ".".join(str(part) for part in ("spec", *each["loc"]))
        got = f" (got {shown(each['input'])})" if isinstance(each["input"], str | int | float | bool) else ""
        if each["type"] == "extra_forbidden":
            problems.append(f"{path}: unknown field; correct its spelling or remove it")
        else:
            problems.append(f"{path}: {each['msg']}{got}")
    return "; ".join(problems)


def _wrong_kind(raw_spec: dict[str, Any]) -> Refused | None:
    """Repeat the CRD's CEL rules, for definitions that no API server has seen."""
    kinds = [kind for kind in KINDS if raw_spec.get(kind) is not None]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        return Refused("InvalidSpec", f"spec: exactly one of {', '.join(KINDS)} must be set, found {found}")
    if raw_spec.get("schedule") is not None and raw_spec.get("schedules") is not None:
        return Refused("InvalidSchedule", "spec.schedules: does not go with schedule; keep one of them")
    if not raw_spec.get("schedule") and not raw_spec.get("schedules") and kinds != ["app"]:
        return Refused("InvalidSchedule", "spec.schedule: required; for example '0 3 * * *' for 03:00 every day")
    of_pod = [field for field in POD_FIELDS if raw_spec.get(field) is not None]
    if kinds == ["jobTemplate"] and of_pod:
        text = f"spec.{of_pod[0]}: does not go with jobTemplate; write it inside jobTemplate.spec.template"
        return Refused("InvalidSpec", text)
    if kinds == ["app"] and raw_spec.get("image") is None:
        return Refused("InvalidSpec", "spec.image: app needs it; name the image that contains the application")
    return None


DEFINITION_LIMIT = 100_000
"""Bytes of a definition. It travels in one environment variable, of which Linux takes 131,072."""


def _too_large(spec: ScheduledTaskSpec) -> Refused | None:
    """Refuse what could never start, since the kernel would refuse its environment."""
    command = spec.command if spec.image is None else None
    for field, content in (("http", spec.http), ("python", spec.python), ("command", command)):
        if content is not None:
            size = len(to_json(content, by_alias=True))
            if size > DEFINITION_LIMIT:
                return Refused(
                    "InvalidSpec",
                    f"spec.{field}: {size} bytes as JSON, and at most {DEFINITION_LIMIT} can be handed to a run; "
                    "have the run read the content from a file or a ConfigMap",
                )
    return None


def _wrong_parameter(spec: ScheduledTaskSpec) -> Refused | None:
    names = set()
    for parameter in spec.parameters:
        field = f"spec.parameters[{parameter.name}]"
        if parameter.name.upper() in names:
            return Refused("InvalidParameters", f"{field}: the name is taken, whatever its case; choose another one")
        names.add(parameter.name.upper())
        problem = wrong_declaration(parameter)
        if problem:
            return Refused("InvalidParameters", field + problem)
    return None


def _wrong_policy(spec: ScheduledTaskSpec) -> Refused | None:
    """Refuse what would have no effect, or two."""
    waits = spec.concurrency_policy is ConcurrencyPolicy.QUEUE or spec.locks is not None
    if spec.max_queued is not None and not waits:
        text = f"spec.maxQueued: {spec.max_queued}: nothing waits under concurrencyPolicy {spec.concurrency_policy}"
        return Refused("InvalidSpec", f"{text}; set that to Queue, or remove maxQueued")
    if spec.lock_policy is not None and spec.locks is None:
        text = f"spec.lockPolicy: {spec.lock_policy}: the task names no locks"
        return Refused("InvalidSpec", f"{text}; name them in locks, or remove lockPolicy")
    if spec.locks is not None and len(set(spec.locks)) < len(spec.locks):
        twice = next(name for name in spec.locks if spec.locks.count(name) > 1)
        return Refused(
            "InvalidSpec", f"spec.locks: {twice} is named twice; a run holds one slot of a lock, name it once"
        )
    if spec.excluded is not None and not spec.calendars:
        text = f"spec.excluded: {spec.excluded}: there are no calendars that could close a day"
        return Refused("InvalidSpec", f"{text}; add calendars, or remove excluded")
    for index, calendar in enumerate(spec.calendars or ()):
        found = list(calendar.to_manifest())
        if len(found) != 1:
            text = f"spec.calendars[{index}]: exactly one of dates, holidays and iCalendar must be set"
            told = f"found {' and '.join(found) or 'none'}; give each an item of its own"
            return Refused("InvalidSpec", f"{text}, {told}")
    retry = spec.retry
    longest = None if retry is None else retry.max_backoff_seconds
    if retry is not None and longest is not None and longest < retry.backoff_seconds:
        text = f"spec.retry.maxBackoffSeconds: {longest}: less than backoffSeconds, {retry.backoff_seconds}"
        return Refused("InvalidSpec", f"{text}; raise the one or lower the other")
    return None


def _wrong_notify(spec: ScheduledTaskSpec, native: bool) -> Refused | None:
    problem = wrong_notify(spec, native=native)
    return None if problem is None else Refused("InvalidSpec", problem)


def _beyond_native(spec: ScheduledTaskSpec) -> Refused | None:
    beyond = beyond_native(spec)
    return Refused("NeedsDaemon", beyond.message) if beyond is not None else None


def _wrong_retry(spec: ScheduledTaskSpec) -> Refused | None:
    """Refuse attempts where no runner is there to make them."""
    if spec.retry is None or not spec.retry.limit:
        return None
    text = f"spec.retry: limit {spec.retry.limit}: "
    if spec.job_template is not None:
        return Refused("InvalidSpec", f"{text}does not go with jobTemplate; set jobTemplate.spec.backoffLimit")
    if spec.app is not None:
        remedy = "let the application try again, or use a jobTemplate with spec.backoffLimit"
        return Refused("InvalidSpec", f"{text}would run all that was due again with app; {remedy}")
    if spec.command is not None and spec.image is not None:
        remedy = "use a jobTemplate with spec.backoffLimit, or leave image out"
        return Refused("InvalidSpec", f"{text}a command in an image of its own runs once; {remedy}")
    return None


def _with_schedule(spec: ScheduledTaskSpec, seed: str | None, native: bool) -> Accepted | Refused:
    try:
        schedule = timetable_of(spec, seed=seed, native=native)
    except ScheduleError as error:
        return _wrong_schedule(spec, error)
    if not native:
        return Accepted(spec, schedule)
    compiled = native_schedule(spec, schedule, seed)
    if isinstance(compiled, NotNative):
        return Refused("NeedsDaemon", compiled.message)
    return Accepted(spec, schedule, compiled)


def _wrong_schedule(spec: ScheduledTaskSpec, error: ScheduleError) -> Refused:
    if isinstance(error, UnknownTimeZoneError):
        return Refused("InvalidTimeZone", f"spec.timeZone: {error}")
    if error.field in ("windows", "calendars", "endAt"):
        found = f"{shown(error.expression)}: " if error.expression is not None else ""
        remedy = f"; {error.remedy}" if error.remedy else ""
        return Refused("InvalidSchedule", f"spec.{error.field}: {found}{error.problem}{remedy}")
    field = "schedules" if spec.schedules else "schedule"
    return Refused("NeverFires" if isinstance(error, NeverFiresError) else "InvalidSchedule", f"spec.{field}: {error}")
