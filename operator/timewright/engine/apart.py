"""Functions that have held up the event loop: from then on they run in processes of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from timewright.runner.call import Call

if TYPE_CHECKING:
    from timewright.engine.task import Task
    from timewright.runner.definition import Definition


class Apart:
    """Which tasks do not run on the event loop any more. What is known of a task goes with its next edit."""

    def __init__(self) -> None:
        """Begin with none."""
        self._definitions: dict[str, tuple[Definition, Definition]] = {}
        """By key of the task: the definition that is not to run here, and the one that runs instead."""

    def put(self, task: Task) -> None:
        """Have a task that calls a function of this process call it in one of its own."""
        definition = task.definition
        if isinstance(definition.work, Call) and not definition.work.isolated:
            work = replace(definition.work, isolated=True)
            self._definitions[task.key] = definition, replace(definition, work=work)

    def as_it_runs(self, task: Task) -> Task:
        """Return a task as it is to run."""
        if task.key not in self._definitions:
            return task
        before, after = self._definitions[task.key]
        if task.definition is before:
            return replace(task, definition=after)
        if task.definition is not after:
            del self._definitions[task.key]
        return task
