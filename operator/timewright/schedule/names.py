"""Names of schedules and tasks: their identity in the store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from timewright.schedule.fluent import refusal
from timewright.schedule.functions import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_LONGEST = 100
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.:-]{{0,{_LONGEST - 1}}}\Z", re.ASCII)
_OTHERS = re.compile(r"[^A-Za-z0-9_.:]+", re.ASCII)


def check_name(field: str, name: str) -> None:
    """Check a name that somebody chose.

    Raises:
        DeclarationError: when it could not be told apart from what surrounds it in the store.

    """
    if not isinstance(name, str) or not _NAME.match(name):
        remedy = f"begin with a letter or digit and go on with these and _ . : -, {_LONGEST} characters at most"
        raise refusal(field, name, "is no name", remedy)


def name_of_function(function: Callable[..., Any]) -> str:
    """Return the name that a task has by its function; empty when the function has none."""
    return name_of(function)


def name_of_command(arguments: Sequence[str]) -> str:
    """Return the name that a task has by its command: its words with hyphens between them."""
    return _slug(" ".join(arguments))


def name_of_request(method: str, url: str) -> str:
    """Return the name that a task has by its request: method, host and path."""
    path = url.partition("?")[0].partition("#")[0].partition("://")[2].rpartition("@")[2]
    return _slug(f"{method.lower()} {path}")


def _slug(text: str) -> str:
    return _OTHERS.sub("-", text).strip("-_.:")[:_LONGEST]
