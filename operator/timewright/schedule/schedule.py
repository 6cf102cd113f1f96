"""`Schedule`: the tasks of an application, declared in Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from timewright.schedule.declaration import Declaration, Declaring, Sayings, Template
from timewright.schedule.errors import DeclarationError
from timewright.schedule.fluent import contradiction, refusal
from timewright.schedule.names import check_name, name_of_task
from timewright.schedule.places import place_of_caller
from timewright.schedule.registry import Registry
from timewright.schedule.settings import Settings
from timewright.schedule.work import FunctionCall

if TYPE_CHECKING:
    from timewright.engine.task import Task
    from timewright.schedule.work import Work

ENVIRONMENT = "TIMEWRIGHT_ENVIRONMENT"
"""The environment variable that says where this is, such as "production"."""


class Schedule(Sayings[Template], Declaring):
    """The tasks of an application.

    What can be said of a task can be said here too, and makes a template: a decorator, and a group.
    """

    SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = range(7)

    def __init__(
        self,
        name: str,
        *,
        time_zone: str | ZoneInfo | None = None,
        environment: str | None = None,
        maintenance: Callable[[], Any] | None = None,
        salt: str = "",
    ) -> None:
        """Begin a schedule without tasks.

        Args:
            name: its name, which is a part of each task's identity in the store.
            time_zone: in which times, weekdays and dates are read; UTC when left out. Tasks may say otherwise.
            environment: where this is, such as "production"; TIMEWRIGHT_ENVIRONMENT says it when left out.
            maintenance: a function without arguments, sync or async. While it returns something true, nothing starts
                but what is declared `even_in_maintenance_mode()`; each tick is then recorded as Skipped.
            salt: what `H` in expressions is spread by, besides the names of schedule and task.

        """
        check_name("Schedule", name)
        if maintenance is not None and not callable(maintenance):
            raise refusal("maintenance", maintenance, "cannot be called", "write a function without arguments")
        self.name = name
        self.app: str | None = None
        """Where a child process finds this schedule, as `module:attribute`; set by who loads it from there."""
        self._environment = environment
        self._maintenance = maintenance
        self._salt = salt
        self._registry = Registry(Settings())
        if time_zone is not None:
            self._registry.base = Template(self._registry, Settings()).time_zone(time_zone)._settings

    def __repr__(self) -> str:
        return f"<Schedule {self.name!r} of {len(self._registry.declarations)} tasks>"

    @property
    def environment_name(self) -> str | None:
        """Where this is, such as "production"; None when nobody says."""
        return self._environment or os.environ.get(ENVIRONMENT) or None

    def task(self, *expressions: str, name: str | None = None) -> Template:
        """Begin a task by its expression: `@schedule.task("*/5 * * * *")` declares the function that it decorates."""
        if not expressions or not isinstance(expressions[0], str):
            raise contradiction("task", "needs an expression", 'write @schedule.task("*/5 * * * *")')
        template = self.cron(*expressions)
        return template if name is None else template.named(name)

    def group(self) -> Template:
        """Begin a group: `with schedule.group().daily().on_one_server(): …` holds for all that is declared inside."""
        return Template(self._registry, self._registry.settings())

    def tasks(self, host: str | None = None) -> list[Task]:
        """Return the tasks as the engine runs them, in the order of their declaration.

        Args:
            host: the name of this machine, where others share the store. Tasks that run on every machine then carry it
                in their key, so that each machine has ticks of its own.

        Raises:
            DeclarationError: when any task cannot be built; it tells of all that cannot, a line for each.

        """
        from timewright.schedule.building import Builder

        builder = Builder(
            self.name,
            salt=self._salt,
            host=host,
            environment=self.environment_name,
            maintenance=self._maintenance,
            app=self.app,
        )
        return builder.build(self._registry.declarations)

    def function_of(self, name: str) -> Callable[..., Any]:
        """Return the function of a task.

        Raises:
            DeclarationError: when there is no such task, or it calls no function.

        """
        work = self.declaration_of(name).work
        if isinstance(work, FunctionCall):
            return work.function
        raise DeclarationError(f"task {name!r} of schedule {self.name!r} calls no function")

    def declaration_of(self, name: str) -> Declaration:
        """Return a task as it was declared.

        Raises:
            DeclarationError: when there is no such task.

        """
        declared = {name_of_task(declaration): declaration for declaration in self._registry.declarations}
        if name not in declared:
            known = f"its tasks are {', '.join(declared)}" if declared else "it has no tasks"
            raise DeclarationError(f"schedule {self.name!r} has no task {name!r}; {known}")
        return declared[name]

    def _change(self) -> tuple[Template, Settings]:
        template = self.group()
        return template, template._settings

    def _declare(self, work: Work) -> Declaration:
        return self._registry.add(work, self._registry.settings(), place_of_caller())
