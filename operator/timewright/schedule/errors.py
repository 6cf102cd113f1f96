"""What is wrong with a declaration: where it stands, the field, the value, and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timewright.schedule.places import Place


class DeclarationError(ValueError):
    """A task that cannot be declared like this. The text names the file and line, the field, the value and the remedy.

    Where several tasks of a schedule are wrong, one error tells of all of them, a line for each.
    """


class UnknownTaskError(DeclarationError, LookupError):
    """A task that a schedule does not have. The text names those that it has."""


class LoadError(Exception):
    """A schedule or manifest that cannot be read. The text names what was asked for, what is wrong, and the remedy."""


def refusal(place: Place, field: str, value: object, problem: str, remedy: str) -> DeclarationError:
    """Return the error for one value."""
    shown = repr(value)
    if len(shown) > _SHOWN:
        shown = shown[:_SHOWN] + "…"
    return DeclarationError(f"{place}: {field} {shown} {problem}; {remedy}")


_SHOWN = 100
"""Characters of a value that a message shows."""
