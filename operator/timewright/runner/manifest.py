"""Reads the definition of a task out of a ScheduledTask manifest."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import ValidationError

from timewright.decisions.policies_of_spec import retry_of
from timewright.resources.model import API_VERSION
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.runner.definition import Definition, DefinitionError

KINDS: tuple[Literal["command", "http", "python"], ...] = ("command", "http", "python")
"""The kinds that a manifest can declare and the runner executes itself; `jobTemplate` and `app` are run by their own
images."""


def parse_definition(text: str) -> Definition:
    """Read a definition in JSON; raises DefinitionError on anything that cannot be run."""
    try:
        manifest = json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"the definition is not JSON: {error}; expected a ScheduledTask manifest") from error
    if not isinstance(manifest, dict):
        raise DefinitionError(f"the definition is a JSON {_json_type(manifest)}; expected a ScheduledTask manifest")
    _check_type(manifest)
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        raise DefinitionError(f"metadata.name is {json.dumps(name)}; expected the name of the task")
    namespace = str(metadata.get("namespace") or "") if isinstance(metadata, dict) else ""
    try:
        spec = ScheduledTaskSpec.model_validate(manifest.get("spec"))
    except ValidationError as error:
        raise DefinitionError(explain(error)) from error
    return definition_from_spec(name, namespace, spec)


def definition_from_spec(name: str, namespace: str, spec: ScheduledTaskSpec) -> Definition:
    """Return what to run of a spec; raises DefinitionError for a kind that the runner does not execute."""
    kind = _kind(spec)
    return Definition(
        name,
        namespace,
        kind,
        getattr(spec, kind),
        spec.parameters,
        spec.timeout_seconds,
        retry=retry_of(spec),
        is_manifest=True,
    )


def _check_type(manifest: dict[str, Any]) -> None:
    for field, expected in (("apiVersion", API_VERSION), ("kind", "ScheduledTask")):
        if manifest.get(field) != expected:
            raise DefinitionError(f"{field} is {json.dumps(manifest.get(field))}; expected {expected!r}")


def _kind(spec: ScheduledTaskSpec) -> Literal["command", "http", "python"]:
    present = [kind for kind in KINDS if getattr(spec, kind) is not None]
    if len(present) != 1:
        found = f"{' and '.join(present)} are set" if present else "none is set"
        raise DefinitionError(f"spec: {found}; expected exactly one of {', '.join(KINDS)}")
    return present[0]


def explain(error: ValidationError) -> str:
    """Say what is wrong with a spec in one sentence per field, with the remedy that fits."""
    lines: list[str] = []
    unknown_field = False
    for each in error.errors(include_url=False):
        place = ".".join(["spec", *(str(part) for part in each["loc"])])
        if each["type"] == "extra_forbidden":
            unknown_field = True
            lines.append(f"{place}: this version of timewright knows no such field")
        elif each["type"] == "missing":
            lines.append(f"{place}: required")
        else:
            lines.append(f"{place}: {_shortened(each['input'])} is not accepted: {each['msg']}")
    if unknown_field:
        lines.append("install in the image the version of timewright that the operator runs, or a later one")
    return "; ".join(lines)


def _shortened(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else text[:200] + "…"


def _json_type(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names.get(type(value), "value")
