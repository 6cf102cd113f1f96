"""Reads `--parameter NAME=VALUE` by the types that the task declares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from timewright.cli.exit_codes import usage_error
from timewright.decisions.parameters import DeclaredParameter, resolve_parameters
from timewright.resources.kinds import ParameterType


def parse_parameters(
    declared: Sequence[DeclaredParameter], given: Iterable[str], others: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the values that were given, typed; raises CommandError on what the task would refuse.

    `others` are values that it is given besides, which these go before.
    """
    known = {parameter.name: parameter for parameter in declared}
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            usage_error(f"--parameter {text}: expected NAME=VALUE")
        if name in values:
            usage_error(f"--parameter {text}: {name} is given twice")
        if name not in known:
            declares = f"it declares {', '.join(map(_described, declared))}" if known else "it declares none"
            usage_error(f"--parameter {text}: the task declares no parameter {name!r}; {declares}")
        values[name] = _typed(known[name], value)
    problem = resolve_parameters(declared, {**others, **values})
    if isinstance(problem, str):
        usage_error(problem.replace("spec.parameters.", "--parameter ", 1))
    return values


def _typed(parameter: DeclaredParameter, text: str) -> Any:
    if parameter.type == ParameterType.STRING:
        return text
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        value = None
    accepted = {
        ParameterType.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        ParameterType.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
        ParameterType.BOOLEAN: isinstance(value, bool),
    }
    kind = ParameterType(parameter.type)
    if not accepted[kind]:
        examples = {ParameterType.INTEGER: "42", ParameterType.NUMBER: "2.5", ParameterType.BOOLEAN: "true or false"}
        usage_error(f"--parameter {parameter.name}={text}: expected type {parameter.type}, such as {examples[kind]}")
    return value


def _described(parameter: DeclaredParameter) -> str:
    return f"{parameter.name} ({parameter.type})"


def _no_constant(name: str) -> float:
    """Refuse NaN and Infinity, which Python takes for JSON and the API server does not."""
    raise ValueError(name)
