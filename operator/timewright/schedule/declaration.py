"""A task as it is declared, and templates to declare tasks with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from timewright.schedule.conditions import Conditions
from timewright.schedule.fluent import Changed, contradiction, refusal
from timewright.schedule.frequencies import Frequencies
from timewright.schedule.hooks import Hooks
from timewright.schedule.limits import Limits
from timewright.schedule.places import Place, place_of_caller
from timewright.schedule.policies import Policies
from timewright.schedule.work import FunctionCall, Work, read_command, read_request, read_shell

if TYPE_CHECKING:
    from types import TracebackType

    from timewright.schedule.registry import Registry
    from timewright.schedule.settings import Settings

Arguments = ParamSpec("Arguments")
Function = TypeVar("Function", bound=Callable[..., Any])


class Sayings(Frequencies[Changed], Limits[Changed], Conditions[Changed], Policies[Changed], Hooks[Changed]):
    """All that can be said of a task."""

    __slots__ = ()


class Declaration(Sayings["Declaration"]):
    """A task of a schedule. Each method says one more thing of it, and returns it."""

    __slots__ = ("place", "settings", "work")

    def __init__(self, work: Work, settings: Settings, place: Place) -> None:
        """Declare work with what is said of it so far."""
        self.work = work
        self.settings = settings
        self.place = place

    def __repr__(self) -> str:
        return f"<task declared at {self.place}>"

    def _change(self) -> tuple[Declaration, Settings]:
        return self, self.settings


class Declaring:
    """Something that tasks can be declared with."""

    __slots__ = ()

    def _declare(self, work: Work) -> Declaration:
        raise NotImplementedError

    @overload
    def call(self, function: Callable[..., Any], /) -> Declaration: ...

    @overload
    def call(
        self, function: Callable[Arguments, Any], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Declaration: ...

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Declaration:
        """Declare a task that calls a function, sync or async, with these arguments."""
        if not callable(function):
            raise refusal("call", function, "cannot be called", "write a function, followed by its arguments")
        return self._declare(FunctionCall(function, args, kwargs))

    def command(self, command: str | Sequence[str]) -> Declaration:
        """Declare a task that runs a command, without a shell: a text is split into words, a list taken as it is."""
        return self._declare(read_command(command))

    def shell(self, script: str) -> Declaration:
        """Declare a task that has `/bin/sh` run a script."""
        return self._declare(read_shell(script))

    def http(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        json: object = None,
        expected_status: Sequence[int | str] = ("2xx",),
    ) -> Declaration:
        """Declare a task that makes a request, whose response decides the outcome.

        Args:
            url: an absolute http or https URL.
            method: the request's method.
            headers: its headers.
            body: its body, sent as UTF-8.
            json: a value to send as JSON, instead of `body`.
            expected_status: what counts as success: numbers, or classes such as "2xx". Redirects are not followed.

        """
        return self._declare(read_request(url, method, headers or {}, body, json, expected_status))


class Template(Sayings["Template"], Declaring):
    """What is said of several tasks. Each method returns a new one; the old one stays as it is.

    It is a decorator, and declares the function as a task; used with `with`, or by `group`, it holds for all tasks that
    are declared meanwhile.
    """

    __slots__ = ("_registry", "_settings", "_within")

    def __init__(self, registry: Registry, settings: Settings) -> None:
        """Begin with what holds already."""
        self._registry = registry
        self._settings = settings
        self._within = registry.group
        """The group whose settings it holds."""

    def _change(self) -> tuple[Template, Settings]:
        made = Template(self._registry, self._settings.copy())
        made._within = self._registry.group if self._settings is self._registry.group else self._within
        return made, made._settings

    def _declare(self, work: Work) -> Declaration:
        self._check_group()
        return self._registry.add(work, self._settings, place_of_caller())

    def __call__(self, function: Function) -> Function:
        """Declare a function as a task, and return it as it is."""
        if not callable(function):
            raise refusal("the decorated object", function, "cannot be called", "decorate a function")
        self._declare(FunctionCall(function, (), {}))
        return function

    def __enter__(self) -> Self:
        """Let this hold for all tasks that are declared until the block ends."""
        self._check_group()
        self._registry.enter(self._settings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the block."""
        self._registry.leave()

    def group(self, declare: Callable[[], Any]) -> None:
        """Let this hold for all tasks that a function declares, and call it."""
        with self:
            declare()

    def _check_group(self) -> None:
        """Refuse a template that knows nothing of the group around it, whose settings would silently not hold."""
        if self._registry.group not in (None, self._within, self._settings):
            raise contradiction(
                "the template", "was made outside of the group in which it is used", "make it inside of the group"
            )
