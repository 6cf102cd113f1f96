"""`Schedule`: the tasks of an application, declared in Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from timewright.schedule.declaration import Declaration, Declaring, Sayings, Template
from timewright.schedule.errors import DeclarationError, UnknownTaskError
from timewright.schedule.fluent import contradiction, refusal
from timewright.schedule.names import check_name, name_of_task
from timewright.schedule.places import place_of_caller
from timewright.schedule.policies import check_lock
from timewright.schedule.registry import Registry
from timewright.schedule.settings import Settings
from timewright.schedule.work import FunctionCall

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping
    from datetime import datetime

    from timewright.engine.summary import Summary
    from timewright.engine.task import Task
    from timewright.schedule.listing import ListedTask
    from timewright.schedule.work import Work
    from timewright.storage.protocol import Store
    from timewright.storage.records import RunRecord

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
        store: str | Store | None = None,
        salt: str = "",
        locks: Mapping[str, int] | None = None,
    ) -> None:
        """Begin a schedule without tasks.

        Args:
            name: its name, which is a part of each task's identity in the store.
            time_zone: in which times, weekdays and dates are read; UTC when left out. Tasks may say otherwise.
            environment: where this is, such as "production"; TIMEWRIGHT_ENVIRONMENT says it when left out.
            maintenance: a function without arguments, sync or async. While it returns something true, nothing starts
                but what is declared `even_in_maintenance_mode()`; each tick is then recorded as Skipped.
            store: the URL of what remembers runs, such as "postgresql://user@host/database"; TIMEWRIGHT_STORE says it
                when left out, and a file in this user's folder for state is used when nothing does.
            salt: what `H` in expressions is spread by, besides the names of schedule and task.
            locks: of locks that several runs may hold at once, how many; those that tasks name by `locks(…)` have one
                slot when left out. Schedules that share a store say the same.

        """
        check_name("Schedule", name)
        if maintenance is not None and not callable(maintenance):
            raise refusal("maintenance", maintenance, "cannot be called", "write a function without arguments")
        self.name = name
        self.app: str | None = None
        """Where a child process finds this schedule, as `module:attribute`; set by who loads it from there."""
        self.store = store
        """Where runs are remembered, as it was given."""
        self._environment = environment
        self._maintenance = maintenance
        self._salt = salt
        self._slots = _slots(locks or {})
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

    def tasks(self, host: str | None = None) -> builtins.list[Task]:
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
            slots=self._slots,
        )
        return builder.build(self._registry.declarations)

    def function_of(self, name: str) -> Callable[..., Any]:
        """Return the function of a task.

        Raises:
            UnknownTaskError: when there is no such task.
            DeclarationError: when it calls no function.

        """
        work = self.declaration_of(name).work
        if isinstance(work, FunctionCall):
            return work.function
        raise DeclarationError(f"task {name!r} of schedule {self.name!r} calls no function")

    def declaration_of(self, name: str) -> Declaration:
        """Return a task as it was declared.

        Raises:
            UnknownTaskError: when there is no such task.

        """
        declared = {name_of_task(declaration): declaration for declaration in self._registry.declarations}
        if name not in declared:
            known = f"its tasks are {', '.join(declared)}" if declared else "it has no tasks"
            raise UnknownTaskError(f"schedule {self.name!r} has no task {name!r}; {known}")
        return declared[name]

    def run(self, at: datetime | None = None) -> Summary:
        """Run what is due now, or at the minute of an instant, wait for it, and tell how it went.

        To be called every minute by something that wakes, as `timewright schedule:run` is. Raises StoreError never:
        trouble with the store is in the summary, and logged.
        """
        from timewright.schedule.running import run_due, wait_for

        return wait_for(run_due(self, at), "schedule.arun()")

    async def arun(self, at: datetime | None = None) -> Summary:
        """Do what `run` does, on the event loop that is running."""
        from timewright.schedule.running import run_due

        return await run_due(self, at)

    def run_now(
        self, name: str, /, *, idempotency_key: str | None = None, override: bool = False, **parameters: Any
    ) -> RunRecord:
        """Run a task now, wait for it, and return its record.

        Args:
            name: the name of the task.
            idempotency_key: of all requests for the task with the same key the first one runs, and the others return
                its record.
            override: run beside whatever is active, whatever the task's policy for overlaps says.
            **parameters: what the task declares by `parameter`, or the arguments that its function takes besides those
                that it was declared with.

        Raises:
            InvalidParametersError: when the parameters do not fit.
            UnknownTaskError: when there is no such task.
            DeclarationError: when it is for another environment.
            StoreError: when the store cannot be used.

        """
        from timewright.engine.by_hand import Request
        from timewright.schedule.running import run_by_hand, wait_for

        return wait_for(run_by_hand(self, name, Request(parameters, idempotency_key, override)), "schedule.arun_now()")

    async def arun_now(
        self, name: str, /, *, idempotency_key: str | None = None, override: bool = False, **parameters: Any
    ) -> RunRecord:
        """Do what `run_now` does, on the event loop that is running."""
        from timewright.engine.by_hand import Request
        from timewright.schedule.running import run_by_hand

        return await run_by_hand(self, name, Request(parameters, idempotency_key, override))

    def work(self) -> None:
        """Run every tick at its second, until SIGTERM or Ctrl-C; active runs then have some time to end.

        A second signal ends them at once.
        """
        from timewright.schedule.running import wait_for, work

        wait_for(work(self, takes_signals=True), "schedule.awork()")

    async def awork(self) -> None:
        """Run every tick at its second on the event loop that is running, until this is cancelled."""
        from timewright.schedule.running import work

        await work(self, takes_signals=False)

    def list(self, ticks: int = 1) -> builtins.list[ListedTask]:
        """Return what is known of the tasks: the next ticks of each, and how it went last.

        Raises:
            StoreError: when the store cannot be used.

        """
        from timewright.schedule.running import list_of, wait_for

        return wait_for(list_of(self, ticks), "timewright.schedule.listing.list_tasks()")

    def _change(self) -> tuple[Template, Settings]:
        template = self.group()
        return template, template._settings

    def _declare(self, work: Work) -> Declaration:
        return self._registry.add(work, self._registry.settings(), place_of_caller())


def _slots(locks: Mapping[str, int]) -> dict[str, int]:
    for name, slots in locks.items():
        check_lock(name)
        if isinstance(slots, bool) or not isinstance(slots, int) or slots < 1:
            raise refusal(f"locks of {name!r}", slots, "does not fit", "write a whole number, 1 or more")
    return dict(locks)
