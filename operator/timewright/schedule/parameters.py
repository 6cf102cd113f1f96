"""Values that a run by hand may vary, as Python code declares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from timewright.schedule.fluent import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
"""The types that a parameter may have, and what manifests call them."""


class DeclaredParameter(NamedTuple):
    """A parameter; see `resources.kinds.Parameter`, which it becomes."""

    name: str
    type: str
    default: Any
    allowed_values: tuple[Any, ...] | None
    description: str


def declared(
    name: str, kind: type | None, default: Any, allowed_values: Iterable[Any] | None, description: str
) -> DeclaredParameter:
    """Return the parameter.

    Raises:
        DeclarationError: when any of it does not fit the rest.

    """
    field = f"parameter {name!r}"
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise refusal("parameter", name, "is no name", "write one of letters, digits and underscores")
    if kind is None:
        kind = str if default is None else type(default)
    if kind not in TYPES:
        raise refusal(f"{field} type", kind, "is not known", "write str, int, float or bool")
    allowed = None if allowed_values is None else tuple(allowed_values)
    if allowed is not None and not allowed:
        raise refusal(f"{field} allowed_values", allowed, "is empty", "list the values allowed, or leave it out")
    for each in allowed or ():
        _check(f"{field} allowed_values", kind, each)
    if default is not None:
        _check(f"{field} default", kind, default)
        if allowed is not None and default not in allowed:
            raise refusal(f"{field} default", default, "is not among allowed_values", f"choose one of {allowed}")
    return DeclaredParameter(name, TYPES[kind], default, allowed, description)


def _check(field: str, kind: type, value: Any) -> None:
    fits = type(value) is kind or (kind is float and type(value) is int)
    if not fits:
        raise refusal(
            field, value, f"is not of type {kind.__name__}", f"write one, or declare type={type(value).__name__}"
        )
