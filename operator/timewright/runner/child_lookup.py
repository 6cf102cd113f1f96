"""Finds, within the child process of a Python task, the function to call.

The standard library alone, since `python_child` uses this.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

SCRIPT_MODULE = "__mp_main__"
"""What a script is called when it is loaded for its functions alone, as `multiprocessing` does, so that what it does
under `if __name__ == "__main__"` is left undone."""


class StartError(Exception):
    """The function that the task names cannot be called. The text says why, and the remedy."""


def find(request: dict[str, Any]) -> Callable[..., Any]:
    """Return the function that a request names. Raises StartError, or whatever its module raises."""
    if "schedule" in request:
        return _of_schedule(request["schedule"], request["task"])
    if "script" in request:
        _load_script(request["script"])
    return _importable(request["function"], is_manifest=request.get("is_manifest", False))


def _importable(reference: str, *, is_manifest: bool) -> Callable[..., Any]:
    place = f"spec.python.call: {reference!r}" if is_manifest else repr(reference)
    module, _, path = reference.partition(":")
    target = _module(module, place, is_manifest=is_manifest)
    for part in path.split("."):
        try:
            target = getattr(target, part)
        except AttributeError as error:
            raise StartError(
                f"{place} names {part!r}, which {getattr(target, '__name__', target)} does not have"
            ) from error
    if not callable(target):
        raise StartError(f"{place} is a {type(target).__name__}; expected a function")
    return target  # type: ignore[no-any-return]


def _module(name: str, place: str, *, is_manifest: bool) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise  # the module is there; something that it imports is not
        text = (
            f"{place} names module {name!r}, which cannot be found: no module named {error.name!r} in "
            f"{os.getcwd()} or elsewhere on sys.path; "  # noqa: PTH109
        )
        if is_manifest:
            text += "spec.image must be an image that contains it, with its directory as workingDir or in PYTHONPATH"
        else:
            text += "start where it can be found, or set PYTHONPATH"
        raise StartError(text) from error


def _of_schedule(place: str, task: str) -> Callable[..., Any]:
    """Ask the application's own schedule for the function of one of its tasks."""
    module, _, attribute = place.partition(":")
    schedule: Any = _module(module, repr(place), is_manifest=False)
    for part in attribute.split(".") if attribute else ():
        schedule = getattr(schedule, part, None)
    if not hasattr(schedule, "function_of") and callable(schedule):
        schedule = schedule()  # a function that makes the schedule
    look_up = getattr(schedule, "function_of", None)
    if look_up is None:
        raise StartError(f"{place!r} is a {type(schedule).__name__}; expected a timewright.Schedule")
    try:
        function = look_up(task)
    except LookupError as error:
        raise StartError(
            f"{place!r} has no task {task!r} when it is loaded in a process of its own ({error}); "
            "declare every task whenever the module is imported"
        ) from error
    if not callable(function):
        raise StartError(f"task {task!r} of {place!r} calls no function")
    return function  # type: ignore[no-any-return]


def _load_script(path: str) -> None:
    """Run a script for its functions alone, and let `__main__` lead to them, as `multiprocessing` does."""
    import runpy
    import types

    main = types.ModuleType(SCRIPT_MODULE)
    content = runpy.run_path(path, run_name=SCRIPT_MODULE)
    main.__dict__.update(content)
    sys.modules["__main__"] = sys.modules[SCRIPT_MODULE] = main
