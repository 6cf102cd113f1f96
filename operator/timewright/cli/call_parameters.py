"""Reads `--parameter NAME=VALUE` for a function that declares its parameters by its signature alone."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from timewright.cli.exit_codes import usage_error

if TYPE_CHECKING:
    from timewright.runner.call import Call

_READ_AS = {int: int, float: float}
_BOOLEANS = {"true": True, "false": False}


def parse_call_parameters(call: Call, given: Iterable[str]) -> dict[str, Any]:
    """Return the values that were given: by the annotation where it is str, int, float or bool, else as JSON or text.

    Raises CommandError on what is not written as its annotation says.
    """
    annotations = _annotations(call)
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            usage_error(f"--parameter {text}: expected NAME=VALUE")
        if name in values:
            usage_error(f"--parameter {text}: {name} is given twice")
        values[name] = _value(text, annotations.get(name), value)
    return values


def check_call(call: Call, values: dict[str, Any]) -> None:
    """Check that the function can be called with those values besides what it was declared with; else CommandError."""
    from timewright.schedule.functions import check_arguments
    from timewright.schedule.work import FunctionCall

    problem = check_arguments(FunctionCall(call.function, tuple(call.args), call.kwargs), list(values))
    if problem:
        usage_error(problem)


def _annotations(call: Call) -> dict[str, Any]:
    for evaluated in (True, False):  # an annotation may name what exists for type checkers only
        try:
            signature = inspect.signature(call.function, eval_str=evaluated)
        except (NameError, TypeError, ValueError, AttributeError, SyntaxError):
            continue
        return {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return {}


def _value(text: str, annotation: Any, value: str) -> Any:
    if annotation is str:
        return value
    if annotation is bool:
        if value not in _BOOLEANS:
            usage_error(f"--parameter {text}: expected true or false")
        return _BOOLEANS[value]
    if annotation in (int, float):
        try:
            return _READ_AS[annotation](value)
        except ValueError:
            usage_error(f"--parameter {text}: expected type {annotation.__name__}")
    try:
        return json.loads(value)
    except ValueError:
        return value
