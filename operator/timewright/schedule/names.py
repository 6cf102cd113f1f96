"""Names of schedules and tasks: their identity in the store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from timewright.schedule.errors import DeclarationError
from timewright.schedule.fluent import refusal
from timewright.schedule.functions import name_of
from timewright.schedule.work import Command, FunctionCall

if TYPE_CHECKING:
    from timewright.schedule.declaration import Declaration
    from timewright.schedule.work import Work

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


def name_of_task(declaration: Declaration) -> str:
    """Return the name that a task was given, or what its work is called.

    Raises:
        DeclarationError: when nothing gives it a name.

    """
    name = declaration.settings.name or _name_of_work(declaration.work)
    if not _NAME.match(name):
        problem = f"its name would be {name!r}, which is not as names are" if name else "the task has no name"
        raise DeclarationError(f"{declaration.place}: {problem}; give it one: named(…)")
    return name


def _name_of_work(work: Work) -> str:
    if isinstance(work, FunctionCall):
        return name_of(work.function)
    if isinstance(work, Command):
        return _slug(" ".join(work.arguments))
    authority, slash, path = work.url.partition("?")[0].partition("#")[0].partition("://")[2].partition("/")
    return _slug(f"{work.method.lower()} {authority.rpartition('@')[2]}{slash}{path}")


def _slug(text: str) -> str:
    return _OTHERS.sub("-", text).strip("-_.:")[:_LONGEST]
