"""Is a ScheduledTask valid beyond what the API server checks, and if not, what should its author do?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from timewright.decisions.parameters import shown, wrong_declaration
from timewright.resources.scheduled_task import KINDS, POD_FIELDS, ScheduledTaskSpec
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
    verdict = _wrong_kind(raw_spec) or _too_large(spec) or _wrong_parameter(spec) or _with_schedule(spec)
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
    if not raw_spec.get("schedule") and kinds != ["app"]:
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


def _with_schedule(spec: ScheduledTaskSpec) -> Accepted | Refused:
    try:
        schedule = parse(spec.expressions[0], time_zone=spec.time_zone, dialect=Dialect.NATIVE)
    except ScheduleError as error:
        if isinstance(error, UnknownTimeZoneError):
            return Refused("InvalidTimeZone", f"spec.timeZone: {error}")
        return Refused(
            "NeverFires" if isinstance(error, NeverFiresError) else "InvalidSchedule", f"spec.schedule: {error}"
        )
    return Accepted(spec, schedule)
