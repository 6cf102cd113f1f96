"""Finds the schedule of an application by its name: `module:attribute`."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timewright.runner import routed_streams
from timewright.schedule.errors import DeclarationError, LoadError
from timewright.schedule.schedule import Schedule

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT_ATTRIBUTE = "schedule"


def load_app(reference: str) -> Schedule:
    """Import an application's schedule. Its folder is looked for modules first, as if Python had been started there.

    Args:
        reference: `module:attribute`, or `module` for its attribute `schedule`. The attribute may be a function without
            arguments that returns the schedule.

    Raises:
        LoadError: when there is no such module or attribute, importing it fails, or it is no schedule.
        DeclarationError: when a task cannot be declared as it is.

    """
    module_name, _, path = reference.partition(":")
    path = path or DEFAULT_ATTRIBUTE
    if not module_name or not all(part.isidentifier() for part in (*module_name.split("."), *path.split("."))):
        raise LoadError(f"--app {reference!r} is not of the form module:attribute; write it like shop.tasks:schedule")
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)
    schedule = _schedule(_find(_import(module_name, folder, reference), path, reference), reference)
    schedule.app = f"{module_name}:{path}"
    return schedule


def _import(module_name: str, folder: str, reference: str) -> ModuleType:
    importlib.invalidate_caches()
    routed_streams.install()  # before the application hands sys.stderr to its log, which would pass runs by for good
    try:
        return importlib.import_module(module_name)
    except DeclarationError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            problem = f"there is no module {error.name!r} in {folder} or elsewhere on Python's path"
            raise LoadError(f"--app {reference}: {problem}; go to the folder that holds it, or install it") from error
        raise _failed(reference, module_name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(reference, module_name, error) from error


def _failed(reference: str, module_name: str, error: BaseException) -> LoadError:
    """Return the error for a module that is there and cannot be imported: what it raised, and where."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_machinery(frame.filename)]
    where = f" at {own[-1].filename}:{own[-1].lineno}" if own else ""
    text = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, SyntaxError):
        where = ""  # its text tells
    return LoadError(f"--app {reference}: importing {module_name} failed{where}: {text}")


def _is_machinery(filename: str) -> bool:
    return filename in (__file__, importlib.__file__) or filename.startswith("<frozen importlib")


def _find(module: ModuleType, path: str, reference: str) -> Any:
    found: Any = module
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            names = [name for name, value in vars(module).items() if isinstance(value, Schedule)]
            remedy = f"; it has {', '.join(f'{module.__name__}:{name}' for name in names)}" if names else ""
            problem = f"{module.__name__} ({module.__file__}) has no {path!r}"
            raise LoadError(f"--app {reference}: {problem}{remedy}") from error
    return found


def _schedule(found: Any, reference: str) -> Schedule:
    if isinstance(found, Schedule):
        return found
    if inspect.isfunction(found) and not inspect.iscoroutinefunction(found):
        try:
            made = found()
        except DeclarationError:
            raise
        except (Exception, SystemExit) as error:
            raise _failed(reference, f"{found.__qualname__}()", error) from error
        if isinstance(made, Schedule):
            return made
        problem = f"returned {_described(made)}, and a schedule is expected"
        raise LoadError(f"--app {reference}: the function {problem}; return the timewright.Schedule")
    problem = f"is {_described(found)}, and a timewright.Schedule is expected, or a function that returns one"
    raise LoadError(f"--app {reference}: it {problem}")


def _described(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
