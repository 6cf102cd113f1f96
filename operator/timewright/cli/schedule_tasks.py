"""Finds the tasks that a person names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from timewright.cli.exit_codes import usage_error

if TYPE_CHECKING:
    from timewright.engine.task import Task

_SHOWN = 10


def find(tasks: Sequence[Task], name: str) -> Task:
    """Return the task of that name, or of that key in the store. Raises CommandError when there is not just one."""
    found = [task for task in tasks if name in (task.name, task.key)]
    if not found:
        _refuse(tasks, name)
    if len(found) > 1:
        usage_error(f"{name!r} is the name of {len(found)} tasks; name one by its key: {_listed(found, keys=True)}")
    return found[0]


def _refuse(tasks: Sequence[Task], name: str) -> NoReturn:
    close = difflib.get_close_matches(name, [task.name for task in tasks], n=3)
    if close:
        usage_error(f"there is no task {name!r}; did you mean {' or '.join(close)}?")
    usage_error(f"there is no task {name!r}; there {_are(tasks)}")


def chosen(tasks: Sequence[Task], names: Sequence[str], *, every: bool) -> Sequence[Task]:
    """Return the tasks that are named, or all of them. Raises CommandError when neither or both is asked for."""
    if bool(names) == every:
        usage_error("name a task, or all of them by --all" if not names else "--all goes without names")
    return tasks if every else list({task.key: task for task in (find(tasks, name) for name in names)}.values())


def _are(tasks: Sequence[Task]) -> str:
    return f"are {_listed(tasks, keys=False)}" if tasks else "are none"


def _listed(tasks: Sequence[Task], *, keys: bool) -> str:
    names = [task.key if keys else task.name for task in tasks]
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
