"""The environment that every run sees, whatever its image."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from timewright.desired.lenient import name_of
from timewright.desired.names import SCHEDULED_AT_ANNOTATION
from timewright.resources.definition import PARAMETERS, RUN_ID, SCHEDULED_AT, TASK_NAME, parameter_variable
from timewright.resources.kinds import Parameter

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
"""Set on every Pod of a Job by the Job controller."""

Variable = dict[str, Any]


def run_variables(task_name: str, parameters: Mapping[str, Any]) -> list[Variable]:
    """Return the variables that tell a run what it is, and its parameters."""
    variables: list[Variable] = [
        {"name": TASK_NAME, "value": task_name},
        {"name": RUN_ID, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{JOB_NAME_LABEL}']"}}},
        {
            "name": SCHEDULED_AT,
            "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{SCHEDULED_AT_ANNOTATION}']"}},
        },
    ]
    return variables + parameter_variables(parameters)


def parameter_variables(parameters: Mapping[str, Any]) -> list[Variable]:
    """Return the variables that carry parameters: each as text, and all of them as one JSON object."""
    if not parameters:
        return []
    texts = {PARAMETERS: json.dumps(dict(parameters), separators=(",", ":"), ensure_ascii=False)}
    texts |= {parameter_variable(name): as_text(value) for name, value in parameters.items()}
    return [{"name": name, "value": literal(text)} for name, text in texts.items()]


def literal(text: str) -> str:
    """Write a text as the value of a variable, so that the run sees just that text.

    The kubelet expands `$(NAME)` in values, and reads `$$` as `$` (the field `value` of core/v1 EnvVar).
    """
    return text.replace("$", "$$")


def default_parameters(declared: Iterable[Parameter]) -> dict[str, Any]:
    """Return the values that a scheduled run gets."""
    return {each.name: each.default for each in declared if each.default is not None}


def with_variables(container: dict[str, Any], variables: Iterable[Variable]) -> dict[str, Any]:
    """Return the container with those variables first, so that the user's own may refer to them, and win."""
    own = container.get("env") or []
    if not isinstance(own, list):
        return container
    taken = {name_of(variable) for variable in own}
    return {**container, "env": [*(each for each in variables if each["name"] not in taken), *own]}


def replace_variables(container: dict[str, Any], variables: Iterable[Variable]) -> dict[str, Any]:
    """Return the container with those variables in place of any of the same names."""
    new = {variable["name"]: variable for variable in variables}
    kept = [each for each in container.get("env") or [] if name_of(each) not in new]
    return {**container, "env": [*new.values(), *kept]}


def as_text(value: Any) -> str:
    """Write a parameter's value as an environment variable: strings bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
