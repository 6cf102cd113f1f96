"""A word out of a closed set."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from timewright.schedule.fluent import refusal

if TYPE_CHECKING:
    from enum import StrEnum

    Word = TypeVar("Word", bound=StrEnum)


def read_choice(field: str, value: str, words: type[Word]) -> Word:
    """Return the member of an enumeration that has this value.

    Raises:
        DeclarationError: when there is none.

    """
    try:
        return words(value)
    except ValueError as error:
        known = ", ".join(repr(each.value) for each in words)
        raise refusal(field, value, "is not known", f"write one of {known}") from error
