"""Is a ScheduledTask valid beyond what the API server checks, and if not, what should its author do?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from timewright.resources.kinds import Parameter, ParameterType
from timewright.resources.scheduled_task import KINDS, ScheduledTaskSpec
from timewright.timetable import Dialect, NeverFiresError, Schedule, ScheduleError, UnknownTimeZoneError, parse


@dataclass(frozen=True, slots=True)
class Accepted:
    """A valid task."""

    spec: ScheduledTaskSpec
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Refused:
    """A task that cannot run as it is written."""

    reason: str
    """One CamelCase word for the condition."""
    message: str
    """Names the field, its value, what was expected, and the remedy."""
    spec: ScheduledTaskSpec | None = None
    """What can be read of it, where it can be read at all: its policies go on applying to runs."""


def accept(raw_spec: dict[str, Any]) -> Accepted | Refused:
    """Judge the spec of a ScheduledTask as it came from the API."""
    try:
        spec = ScheduledTaskSpec.model_validate(raw_spec)
    except ValidationError as error:
        return Refused("InvalidSpec", describe(error))
    verdict = _wrong_kind(raw_spec) or _wrong_parameter(spec) or _with_schedule(spec)
    return replace(verdict, spec=spec) if isinstance(verdict, Refused) else verdict


def describe(error: ValidationError) -> str:
    """Tell what pydantic refused as `field: problem`, in the manifest's own field names."""
    problems = []
    for each in error.errors(include_url=False):
        path = ".".join(str(part) for part in ("spec", *each["loc"]))
        shown = f" (got {each['input']!r})" if isinstance(each["input"], str | int | float | bool) else ""
        if each["type"] == "extra_forbidden":
            problems.append(f"{path}: unknown field; correct its spelling or remove it")
        else:
            problems.append(f"{path}: {each['msg']}{shown}")
    return "; ".join(problems)


def _wrong_kind(raw_spec: dict[str, Any]) -> Refused | None:
    """Repeat the CRD's CEL rules, for definitions that no API server has seen."""
    kinds = [kind for kind in KINDS if raw_spec.get(kind) is not None]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        return Refused("InvalidSpec", f"spec: exactly one of {', '.join(KINDS)} must be set, found {found}")
    if not raw_spec.get("schedule") and kinds != ["app"]:
        return Refused("InvalidSchedule", "spec.schedule: required; for example '0 3 * * *' for 03:00 every day")
    return None


def _wrong_parameter(spec: ScheduledTaskSpec) -> Refused | None:
    names = set()
    for parameter in spec.parameters:
        field = f"spec.parameters[{parameter.name}]"
        if parameter.name.upper() in names:
            return Refused("InvalidParameters", f"{field}: the name is taken, whatever its case; choose another one")
        names.add(parameter.name.upper())
        problem = wrong_value(parameter, parameter.default) if parameter.default is not None else None
        if problem:
            return Refused("InvalidParameters", f"{field}.default: {problem}")
    return None


def wrong_value(parameter: Parameter, value: Any) -> str | None:
    """Tell why a value does not fit a parameter, or None if it does."""
    fits = {
        ParameterType.STRING: isinstance(value, str),
        ParameterType.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        ParameterType.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
        ParameterType.BOOLEAN: isinstance(value, bool),
    }[parameter.type]
    if not fits:
        return f"{value!r} is not of type {parameter.type.value}"
    if parameter.allowed_values is not None and value not in parameter.allowed_values:
        allowed = ", ".join(repr(each) for each in parameter.allowed_values)
        return f"{value!r} is not among the allowed values: {allowed}"
    return None


def _with_schedule(spec: ScheduledTaskSpec) -> Accepted | Refused:
    try:
        schedule = parse(spec.effective_schedule, time_zone=spec.time_zone, dialect=Dialect.NATIVE)
    except ScheduleError as error:
        if isinstance(error, UnknownTimeZoneError):
            return Refused("InvalidTimeZone", f"spec.timeZone: {error}")
        return Refused(
            "NeverFires" if isinstance(error, NeverFiresError) else "InvalidSchedule", f"spec.schedule: {error}"
        )
    return Accepted(spec, schedule)
