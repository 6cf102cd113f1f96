"""What all commands of a schedule have in common: errors become a line on stderr and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from timewright.cli import printing
from timewright.cli.exit_codes import INTERRUPTED, STORE_FAILED, SUCCEEDED, CommandError
from timewright.storage.protocol import Store, StoreError

Result = TypeVar("Result")


def conclude(work: Callable[[], int]) -> int:
    """Do the work of a command and return its exit code, whatever happens to it."""
    try:
        return work()
    except CommandError as error:
        return _told(error, error.code)
    except StoreError as error:
        return _told(error, STORE_FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        printing.stop_printing()
        return SUCCEEDED


def wait_for(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, whatever tasks do to the event loop. Waits for no thread: one may hang."""
    from timewright.runner.event_loop import run

    return run(coroutine)


def ask(store: Store, question: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Open a store, do something with it, and close it. Raises StoreError."""

    async def asking() -> Result:
        await store.open()
        try:
            return await question()
        finally:
            await store.close()

    return wait_for(asking())


def _told(error: Exception, code: int) -> int:
    printing.tell(str(error))
    return code
