"""What every object has whose methods say something about tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from timewright.schedule.places import place_of_caller

if TYPE_CHECKING:
    from timewright.schedule.errors import DeclarationError
    from timewright.schedule.settings import Settings

Changed = TypeVar("Changed", covariant=True)
"""What the methods return: a declared task is changed itself, a template stays as it is and a changed copy returned."""


class Fluent(Generic[Changed]):
    """Something that settings can be changed of."""

    __slots__ = ()

    def _change(self) -> tuple[Changed, Settings]:
        """Return what a method returns, and the settings of it that the method changes."""
        raise NotImplementedError


def refusal(field: str, value: object, problem: str, remedy: str) -> DeclarationError:
    """Return the error for a value, at the line that is being executed outside of this package."""
    from timewright.schedule import errors

    return errors.refusal(place_of_caller(), field, value, problem, remedy)


def contradiction(field: str, problem: str, remedy: str) -> DeclarationError:
    """Return the error for a method that does not go with what was said before, at the line being executed."""
    from timewright.schedule.errors import DeclarationError

    return DeclarationError(f"{place_of_caller()}: {field}() {problem}; {remedy}")
