"""Do the values given to a run fit the parameters that its task declares?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class DeclaredParameter(Protocol):
    """A value that a run may vary, wherever it was declared; see `resources.kinds.Parameter`."""

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def type(self) -> str:
        """One of the words of `resources.kinds.ParameterType`."""
        ...

    @property
    def default(self) -> Any:
        """The value of runs that name none; None is no value."""
        ...

    @property
    def allowed_values(self) -> Sequence[Any] | None:
        """The only values that are accepted, if there are any such."""
        ...


def resolve_parameters(declared: Sequence[DeclaredParameter], given: Mapping[str, Any]) -> dict[str, Any] | str:
    """Return all values of a run, or a sentence that tells what is wrong with those given."""
    known = {parameter.name: parameter for parameter in declared}
    for name in given:
        if name not in known:
            declares = f"it declares {', '.join(known)}" if known else "it declares none"
            return f"spec.parameters.{name}: the task declares no such parameter; {declares}"
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        value = given.get(name)
        if value is None:
            value = parameter.default
        if value is None:
            return f"spec.parameters.{name}: required, since the task declares no default; give a value"
        problem = wrong_value(parameter, value)
        if problem:
            return f"spec.parameters.{name}: {problem}"
        values[name] = value
    return values


def wrong_declaration(parameter: DeclaredParameter) -> str | None:
    """Tell what contradicts itself in a parameter, as the rest of a message that names it; None if nothing does."""
    if parameter.allowed_values is not None and not parameter.allowed_values:
        return ".allowedValues: is empty, so no value could be given; list the values allowed or leave it out"
    for allowed in parameter.allowed_values or ():
        if not _fits(parameter.type, allowed):
            return f".allowedValues: {_wrong_type(parameter.type, allowed)}"
    problem = wrong_value(parameter, parameter.default) if parameter.default is not None else None
    return f".default: {problem}" if problem else None


def wrong_value(parameter: DeclaredParameter, value: Any) -> str | None:
    """Tell why a value does not fit a parameter, or None if it does."""
    if not _fits(parameter.type, value):
        return _wrong_type(parameter.type, value)
    if parameter.allowed_values is not None and value not in parameter.allowed_values:
        allowed = ", ".join(shown(each) for each in parameter.allowed_values)
        return f"{shown(value)} is not among the allowed values; choose one of {allowed}"
    return None


def _fits(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return {
        "string": isinstance(value, str),
        "integer": isinstance(value, int),
        "number": isinstance(value, int | float),
        "boolean": False,
    }[kind]


def _wrong_type(kind: str, value: Any) -> str:
    return f"{shown(value)} is not of type {kind}; write {_EXAMPLES[kind]}"


_EXAMPLES = {
    "string": "a text, in quotes if it looks like anything else",
    "integer": "a whole number without quotes",
    "number": "a number without quotes",
    "boolean": "true or false without quotes",
}


def shown(value: Any) -> str:
    """Return a value as a message shows it: not all of it if it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


_SHOWN = 100
"""Characters of a value that a message shows."""
