"""What may keep a tick from starting that no timetable knows: the application's own state, the environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from timewright.schedule.fluent import Changed, Fluent, refusal
from timewright.schedule.functions import Inverse, name_of
from timewright.schedule.places import place_of_caller
from timewright.schedule.times_of_day import flat

if TYPE_CHECKING:
    from collections.abc import Iterable

Test = Callable[[], Any] | bool
"""A function without arguments, sync or async, or an answer that is known already."""


class Conditions(Fluent[Changed]):
    """Whether a tick may start."""

    __slots__ = ()

    def when(self, test: Test) -> Changed:
        """Start only if a function, called when the tick is due, returns something true. All of several have to.

        A tick that may not start is recorded as Skipped with reason Condition, and so is one whose test raises.
        """
        return self._condition("when", test, _as_function("when", test))

    def skip(self, test: Test) -> Changed:
        """Start unless a function, called when the tick is due, returns something true."""
        return self._condition("skip", test, Inverse(_as_function("skip", test)))

    def environments(self, *names: str | Iterable[str]) -> Changed:
        """Have the task only where the schedule's environment is one of these: `environments("staging", "production")`.

        Elsewhere it does not exist: it has no ticks and cannot be run by hand.
        """
        changed, settings = self._change()
        wanted = flat(names)
        if not wanted or not all(isinstance(name, str) and name for name in wanted):
            raise refusal("environments", names, "names none", 'write some like environments("production")')
        settings.environments = wanted
        return changed

    def even_in_maintenance_mode(self) -> Changed:
        """Start also while the schedule's `maintenance` function says that there is maintenance."""
        changed, settings = self._change()
        settings.even_in_maintenance_mode = True
        return changed

    def even_when_paused(self) -> Changed:
        """Go on while the schedule as a whole is paused. Pausing the task by its name still does."""
        changed, settings = self._change()
        settings.even_when_paused = True
        return changed

    def suspended(self, is_suspended: bool = True) -> Changed:
        """Have no scheduled runs; running it by hand stays possible."""
        changed, settings = self._change()
        settings.suspended = is_suspended
        return changed

    def _condition(self, field: str, test: Test, function: Callable[[], Any]) -> Changed:
        changed, settings = self._change()
        name = name_of(test)
        text = f"{field}({name})" if name else f"{field}() at {place_of_caller()}"
        settings.conditions = (*settings.conditions, (text, function))
        return changed


def _as_function(field: str, test: Test) -> Callable[[], Any]:
    if isinstance(test, bool):
        return lambda: test
    if not callable(test):
        raise refusal(field, test, "cannot be called", "write a function without arguments, True or False")
    return test
