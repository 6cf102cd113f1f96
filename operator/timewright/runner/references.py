"""How a child process finds a function that this process has as an object."""

from __future__ import annotations

import sys
from typing import Any

from timewright.runner.call import Call

MAIN = "__main__"


class NoReferenceError(Exception):
    """No other process can find the function. The text says why, and the remedy."""


def reference_of(call: Call) -> dict[str, Any]:
    """Return what `python_child` needs to find the function of a call. Raises NoReferenceError if nothing would do."""
    if call.reference is not None:
        if call.reference.startswith("app:"):
            place, _, task = call.reference.removeprefix("app:").partition("#")
            return {"schedule": place, "task": task}
        return {"function": call.reference}
    module, name = getattr(call.function, "__module__", None), getattr(call.function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise _impossible(call, "it has no name")
    if "<" in name:
        raise _impossible(call, "it is a lambda or was made within another function")
    if _resolve(module, name) is not call.function:
        raise _impossible(call, "its name leads to something else, as that of a decorated function may")
    if module == MAIN:
        return _in_main(call, name)
    return {"function": f"{module}:{name}"}


def _in_main(call: Call, name: str) -> dict[str, Any]:
    """Return where the script is that this process runs, or the module if it was started with `python -m`."""
    main = sys.modules[MAIN]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return {"function": f"{spec.name}:{name}"}
    path = getattr(main, "__file__", None)
    if path is None:
        raise _impossible(call, "it was entered at a prompt")
    return {"script": path, "function": f"{MAIN}:{name}"}


def _resolve(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _impossible(call: Call, reason: str) -> NoReferenceError:
    return NoReferenceError(
        f"{call.name} cannot be called in a process of its own, which its limits ask for: no other process finds it, "
        f"since {reason}; define it at the top level of a module, or make it async, or take away its time-out, memory "
        "limit, environment and isolation"
    )
