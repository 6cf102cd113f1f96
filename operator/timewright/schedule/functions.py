"""What can be said of a callable: its name, whether others can import it, which arguments it lacks."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Collection
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timewright.schedule.work import FunctionCall


def name_of(function: Any) -> str:
    """Return the name of a callable; empty for one that has none, such as a lambda."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None)
    if name is None:
        return type(function).__name__ if callable(function) else str(function)
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType):
        name = f"{(owner if isinstance(owner, type) else type(owner)).__name__}.{name}"
    return "" if name == "<lambda>" else str(name)


def is_importable(function: Any) -> bool:
    """Tell whether the module of a function, and its name there, lead to the function itself."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    found: Any = module
    for part in (getattr(function, "__qualname__", None) or "<none>").split("."):
        found = getattr(found, part, None)
    return module is not None and module.__name__ != "__main__" and found is function


def check_arguments(call: FunctionCall, parameters: Collection[str]) -> str | None:
    """Tell why a function cannot be called with its arguments and the declared parameters; None if it can be."""
    function = call.function
    if type(function) is FunctionType and not (call.args or call.kwargs or parameters):
        code = function.__code__
        if not code.co_argcount and not code.co_kwonlyargcount:
            return None
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None  # some that are written in C tell nothing
    try:
        signature.bind(*call.args, **{**call.kwargs, **dict.fromkeys(parameters)})
    except TypeError as error:
        return f"{name_of(function) or 'the function'}{signature} cannot be called: {error}"
    return None


class Inverse:
    """Says the opposite of a function, sync or async."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    def __call__(self) -> Any:
        """Return the opposite, or what it can be awaited from."""
        answer = self.function()
        return self._later(answer) if inspect.isawaitable(answer) else not answer

    async def _later(self, answer: Any) -> bool:
        return not await answer
