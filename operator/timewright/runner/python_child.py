"""The child process in which a Python task runs: `python -m timewright.runner.python_child`.

It reads what to call from stdin as JSON and tells how the call ended on the descriptor named there, as one JSON object:
`{"ok": true}`, `{"exit": code, "message": text}`, `{"start": text}` or `{"exception": text}`. Tracebacks go to stderr,
like all other output of the task.

It imports as little as it can: the standard library alone, and no part of timewright, so that the task's own code finds
an ordinary interpreter.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import inspect
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, NoReturn

_LONGEST_MESSAGE = 8000
"""Characters. A report must fit into an empty pipe, so that writing it never waits."""


class Terminated(BaseException):
    """SIGTERM has come: `finally` blocks run, and the traceback tells what the task was doing."""


class StartError(Exception):
    """The function that the task names cannot be called. The text says why, and the remedy."""


def main() -> NoReturn:
    """Call the function, report, and end the process the ordinary way: atexit handlers and threads included."""
    request = json.loads(sys.stdin.buffer.read())
    _forget_stdin()
    report_to: int = request["report_to"]
    os.set_inheritable(report_to, False)
    own_pid = os.getpid()
    faulthandler.enable()
    signal.signal(signal.SIGTERM, _terminate)
    sys.argv = [request["call"]]
    if os.getcwd() not in sys.path:  # noqa: PTH109 - a Path is an import more
        sys.path.insert(0, os.getcwd())  # noqa: PTH109

    verdict = _attempt(request)
    if os.getpid() != own_pid:
        os._exit(0 if "ok" in verdict else 1)  # a fork of the task that came back here: the original reports
    with contextlib.suppress(OSError):  # a task that closed every descriptor is judged by its exit code
        os.write(report_to, json.dumps(verdict).encode())
        os.close(report_to)
    sys.exit(0 if "ok" in verdict else verdict.get("exit", 1))


def _attempt(request: dict[str, Any]) -> dict[str, Any]:
    """Make the call; whatever it raises becomes a verdict."""
    try:
        _call(request)
    except StartError as error:
        return {"start": str(error)[:_LONGEST_MESSAGE]}
    except SystemExit as error:
        return _exit_verdict(error)
    except BaseException as error:  # noqa: BLE001 - this is where a task's errors end, whatever they are
        _print_traceback(error)
        return {"exception": _one_line(error)}
    return {"ok": True}


def _call(request: dict[str, Any]) -> None:
    if request["setup"] == "django":
        _set_up_django()
    function = _find(request["call"])
    if inspect.iscoroutinefunction(function):
        _run_async(function, request["args"], request["kwargs"])
        return
    result = function(*request["args"], **request["kwargs"])
    if inspect.isawaitable(result):
        _run_async(lambda: result, [], {})


def _run_async(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> None:
    import asyncio

    async def supervised() -> None:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await function(*args, **kwargs)

    asyncio.run(supervised())


def _set_up_django() -> None:
    try:
        import django  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ModuleNotFoundError as error:
        raise StartError(
            "spec.python.setup: 'django' cannot be set up, since the image has no Django; install it"
        ) from error
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        raise StartError(
            "spec.python.setup: 'django' needs the name of the settings; set DJANGO_SETTINGS_MODULE in env"
        )
    django.setup()


def _find(call: str) -> Callable[..., Any]:
    """Import the function that `module:function` names."""
    module_name, _, path = call.partition(":")
    try:
        target: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(error.name + ".")):
            raise  # the module is there; something that it imports is not
        raise StartError(
            f"spec.python.call: {call!r} names module {module_name!r}, which cannot be found: no module named "
            f"{error.name!r} in {os.getcwd()} or elsewhere on sys.path; "  # noqa: PTH109
            "spec.image must be an image that contains it, with its directory as workingDir or in PYTHONPATH"
        ) from error
    for part in path.split("."):
        try:
            target = getattr(target, part)
        except AttributeError as error:
            raise StartError(
                f"spec.python.call: {call!r} names {part!r}, which {getattr(target, '__name__', target)} does not have"
            ) from error
    if not callable(target):
        raise StartError(f"spec.python.call: {call!r} is a {type(target).__name__}; expected a function")
    return target  # type: ignore[no-any-return]


def _exit_verdict(error: SystemExit) -> dict[str, Any]:
    """Read `sys.exit(…)` as the interpreter does: nothing or 0 is success, text goes to stderr and is failure."""
    if error.code is None or error.code == 0:
        return {"ok": True}
    if isinstance(error.code, int):
        return {"exit": error.code & 0xFF or 1, "message": f"sys.exit({error.code}) was called"}
    with contextlib.suppress(Exception):
        print(error.code, file=sys.stderr)  # noqa: T201 - what the interpreter would do
    return {"exit": 1, "message": str(error.code)[:_LONGEST_MESSAGE]}


def _print_traceback(error: BaseException) -> None:
    """Print the whole chain, beginning where the task's own code begins."""
    with contextlib.suppress(Exception):  # stderr may be closed
        traceback.print_exception(error.with_traceback(_own_part(error.__traceback__)))
        sys.stderr.flush()


def _own_part(trace: TracebackType | None) -> TracebackType | None:
    """Leave out our frames, and those of asyncio and importlib between them and the task's."""
    own, current = trace, trace
    while current is not None:
        if current.tb_next is not None and current.tb_next.tb_frame.f_code is _terminate.__code__:
            current.tb_next = None  # what SIGTERM interrupted is where the traceback should end
        if current.tb_frame.f_code.co_filename == __file__:
            own = current.tb_next
        current = current.tb_next
    while own is not None and "importlib" in own.tb_frame.f_code.co_filename:
        own = own.tb_next
    return own


def _one_line(error: BaseException) -> str:
    """Return `Type: text`."""
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    if isinstance(error, Terminated):
        return "Terminated: ended by SIGTERM"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the error
        text = "<its text cannot be had: str() failed>"
    return f"{name}: {text}"[:_LONGEST_MESSAGE] if text else name


def _terminate(number: int, frame: FrameType | None) -> None:
    # Once: a second signal must not cut short the `finally` blocks that the first set off.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _forget_stdin() -> None:
    """Give the task an empty stdin, like that of a command."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


if __name__ == "__main__":
    main()
