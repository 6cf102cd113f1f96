"""The child process in which a Python task runs, started by `python_process`.

It reads what to call from stdin as JSON and tells how the call ended on the descriptor named there, as one JSON object:
`{"ok": true}`, `{"exit": code, "message": text}`, `{"start": text}` or `{"exception": text}`. Tracebacks go to stderr,
like all other output of the task.

It imports as little as it can: the standard library and two modules of ours that need no more, so that the task's own
code finds an ordinary interpreter.
"""

from __future__ import annotations

import contextlib
import faulthandler
import inspect
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from timewright.runner import child_lookup
from timewright.runner.child_lookup import StartError, find
from timewright.runner.exception_text import LONGEST_MESSAGE, one_line, traceback_text


class Terminated(BaseException):
    """SIGTERM has come: `finally` blocks run, and the traceback tells what the task was doing."""


def main() -> NoReturn:
    """Call the function, report, and end the process the ordinary way: atexit handlers and threads included."""
    request = json.loads(sys.stdin.buffer.read())
    _forget_stdin()
    report_to: int = request["report_to"]
    os.set_inheritable(report_to, False)
    own_pid = os.getpid()
    faulthandler.enable()
    signal.signal(signal.SIGTERM, _terminate)
    sys.argv = [request.get("script") or request.get("function") or request["schedule"]]
    if "path" in request:
        sys.path[:] = request["path"]
    elif os.getcwd() not in sys.path:  # noqa: PTH109 - a Path is an import more
        sys.path.insert(0, os.getcwd())  # noqa: PTH109

    verdict = _attempt(request)
    if os.getpid() != own_pid:
        os._exit(0 if "ok" in verdict else 1)  # a fork of the task that came back here: the original reports
    peak = _peak_memory()
    if peak is not None:
        verdict["peak"] = peak
    with contextlib.suppress(OSError):  # a task that closed every descriptor is judged by its exit code
        os.write(report_to, json.dumps(verdict).encode())
        os.close(report_to)
    sys.exit(0 if "ok" in verdict else verdict.get("exit", 1))


def _attempt(request: dict[str, Any]) -> dict[str, Any]:
    """Make the call; whatever it raises becomes a verdict."""
    try:
        _call(request)
    except StartError as error:
        return {"start": str(error)[:LONGEST_MESSAGE]}
    except SystemExit as error:
        return _exit_verdict(error)
    except BaseException as error:  # noqa: BLE001 - this is where a task's errors end, whatever they are
        _print_traceback(error)
        return {"exception": "Terminated: ended by SIGTERM" if isinstance(error, Terminated) else one_line(error)}
    return {"ok": True}


def _call(request: dict[str, Any]) -> None:
    if request.get("setup") == "django":
        _set_up_django()
    function = find(request)
    args, kwargs = _arguments(request)
    if inspect.iscoroutinefunction(function):
        _run_async(function, args, kwargs)
        return
    result = function(*args, **kwargs)
    if inspect.isawaitable(result):
        _run_async(lambda: result, [], {})
    elif inspect.isgenerator(result) or inspect.isasyncgen(result):
        name = getattr(function, "__qualname__", function)
        raise StartError(f"{name} is a generator function: to call it runs nothing; make it a plain or an async one")


def _arguments(request: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return what to call it with. What is pickled may need the function's module, which is there by now."""
    if "pickled" not in request:
        return request["args"], request["kwargs"]
    import base64
    import pickle

    raw = base64.b64decode(request["pickled"])
    return pickle.loads(raw)  # type: ignore[no-any-return]  # noqa: S301 - the parent of this process wrote it


def _run_async(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
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


def _exit_verdict(error: SystemExit) -> dict[str, Any]:
    """Read `sys.exit(…)` as the interpreter does: nothing or 0 is success, text goes to stderr and is failure."""
    if error.code is None or error.code == 0:
        return {"ok": True}
    if isinstance(error.code, int):
        return {"exit": error.code & 0xFF or 1, "message": f"sys.exit({error.code}) was called"}
    with contextlib.suppress(Exception):
        print(error.code, file=sys.stderr)  # noqa: T201 - what the interpreter would do
    return {"exit": 1, "message": str(error.code)[:LONGEST_MESSAGE]}


def _print_traceback(error: BaseException) -> None:
    """Print the whole chain, beginning where the task's own code begins."""
    current = error.__traceback__
    while current is not None:
        if current.tb_next is not None and current.tb_next.tb_frame.f_code is _terminate.__code__:
            current.tb_next = None  # what SIGTERM interrupted is where the traceback should end
        current = current.tb_next
    with contextlib.suppress(Exception):  # stderr may be closed
        sys.stderr.write(traceback_text(error, _OWN_FILES))
        sys.stderr.flush()


_OWN_FILES = frozenset({__file__, child_lookup.__file__})


def _peak_memory() -> int | None:
    """Return the most memory, in bytes, that this process has held; None if nobody tells."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status", "rb") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def _terminate(number: int, frame: FrameType | None) -> None:
    # Once: a second signal must not cut short the `finally` blocks that the first set off.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _forget_stdin() -> None:
    """Give the task an empty stdin, like that of a command."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
