"""A call of a Python function that the application handed over as an object."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """What to call, and with what. The run's parameters are added to `kwargs` under their names."""

    function: Callable[..., Any]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    """Where a child process finds the function: `module:function`, or `app:module:schedule#task` for a function that
    only the application's schedule knows. Without it the function's own module and name are tried."""
    isolated: bool = False
    """Call it in a process of its own, always."""
    is_async: bool = field(init=False)
    """Whether calling it makes a coroutine, to be awaited on the event loop."""

    def __post_init__(self) -> None:
        """Look at the function once rather than at each run."""
        object.__setattr__(self, "is_async", is_async(self.function))

    @property
    def name(self) -> str:
        """What the function is called, for messages."""
        module = getattr(self.function, "__module__", None) or ""
        name = getattr(self.function, "__qualname__", None) or type(self.function).__qualname__
        return f"{module}:{name}" if module else str(name)


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling something makes a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
