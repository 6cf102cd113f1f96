"""The modules of functions that tasks call, imported in threads: what a module does meanwhile may take for ever."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from timewright.resources.task_daemon import DEFAULT_DAEMON
from timewright.resources.vocabulary import Mode
from timewright.runner.exception_text import one_line

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""How long tasks wait for a module. Functions of one that takes longer run in processes of their own."""

_LOOK_SECONDS = 0.02

_pending: set[str] = set()
"""What is being imported. Such a module can be found by its name before all of it is there."""


def module_of(spec: Mapping[str, Any], daemon: str) -> str | None:
    """Return the name of the module that a task needs, if it calls a function that may run on a daemon's event loop."""
    call = spec.get("python")
    is_ours = spec.get("mode") == Mode.DAEMON and (spec.get("daemon") or DEFAULT_DAEMON) == daemon
    if not is_ours or not isinstance(call, Mapping) or call.get("setup") is not None:
        return None
    reference = call.get("call")
    return reference.partition(":")[0] if isinstance(reference, str) else None


def imported(name: str) -> ModuleType | None:
    """Return a module of which all is there, or None."""
    return None if name in _pending else sys.modules.get(name)


async def import_all(names: Iterable[str], patience: float = PATIENCE_SECONDS) -> None:
    """Import modules that nobody has begun to import, and wait for them for no more than those seconds.

    What is wrong with one that cannot be imported, the runs tell that need it.
    """
    loop = asyncio.get_running_loop()
    wanted = [_begin(name, loop) for name in names if name not in sys.modules and name not in _pending]
    deadline = time.monotonic() + patience
    while any(each.is_alive() for each in wanted) and time.monotonic() < deadline:  # noqa: ASYNC110 - of threads
        await asyncio.sleep(_LOOK_SECONDS)
    for each in wanted:
        if each.is_alive():
            logger.warning(
                "module %s takes more than %g s to import; functions of it run in processes of their own until their "
                "tasks are edited or this process is restarted",
                each.name,
                patience,
            )


def _begin(name: str, loop: asyncio.AbstractEventLoop) -> threading.Thread:
    def work() -> None:
        asyncio.set_event_loop(loop)  # for modules that ask for it while they are imported
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - a module may raise anything
            logger.info("module %s cannot be imported: %s", name, one_line(error))
        finally:
            _pending.discard(name)

    _pending.add(name)
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
