"""Calls the hooks of a run. Whatever they do, the run goes on, and ends as it would have ended without them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable

from timewright import __version__
from timewright.runner.call import is_async
from timewright.runner.current_run import FinishedRun, RunInfo
from timewright.runner.definition import public_url
from timewright.runner.exception_text import one_line, traceback_text
from timewright.runner.guarded_call import OWN_FILES, GuardedCall
from timewright.runner.hooks import Hook, Hooks
from timewright.runner.output import STDERR, Output

HOOK_SECONDS = 30.0
"""How long a function may take."""

PING_SECONDS = 10.0
"""How long a request may take; one that fails is made once more."""

_GRACE_SECONDS = 1.0


class HookCalls:
    """The hooks of one run."""

    def __init__(self, hooks: Hooks, output: Output, remaining: Callable[[], float]) -> None:
        """Note in `output` what fails. `remaining` tells how many seconds are left until all has to be over."""
        self._hooks = hooks
        self._output = output
        self._remaining = remaining

    async def before(self, run: RunInfo) -> None:
        """Call what is to be called before a run."""
        await self._call("before", self._hooks.before, run)
        await self._ping("ping_before", self._hooks.ping_before)

    async def after(self, run: FinishedRun, *, succeeded: bool) -> None:
        """Call what is to be called after a run."""
        hooks = self._hooks
        if succeeded:
            await self._call("on_success", hooks.on_success, run)
            await self._ping("ping_on_success", hooks.ping_on_success)
        else:
            await self._call("on_failure", hooks.on_failure, run)
            await self._ping("ping_on_failure", hooks.ping_on_failure)
        await self._call("after", hooks.after, run)
        await self._ping("then_ping", hooks.then_ping)

    async def _call(self, field: str, functions: Iterable[Hook], run: RunInfo) -> None:
        for function in functions:
            problem = await self._problem_of(function, run)
            if problem is not None:
                name = getattr(function, "__qualname__", type(function).__qualname__)
                self._output.note(f"{field} {name}: {problem}")

    async def _problem_of(self, function: Hook, run: RunInfo) -> str | None:
        """Call one function; return what went wrong."""
        seconds = min(HOOK_SECONDS, self._remaining())
        if seconds <= 0:
            return "not called, since no time is left"
        call = GuardedCall(self._explain, grace=min(_GRACE_SECONDS, seconds), timeout=seconds)
        arguments = (run,) if _takes_argument(function) else ()
        end = await call.call(function, arguments, {}, is_async=is_async(function))
        if end.timed_out:
            return f"did not finish within {seconds:g} s"
        if end.disturbed:
            return "its asyncio task was cancelled by other code in this process"
        return end.problem

    def _explain(self, error: BaseException) -> str:
        self._output.show(traceback_text(error, OWN_FILES), STDERR)
        return one_line(error)

    async def _ping(self, field: str, urls: Iterable[str]) -> None:
        for url in urls:
            problem = await self._request(url)
            if problem is not None:
                problem = await self._request(url)
            if problem is not None:
                self._output.note(f"{field} {public_url(url)}: {problem}")

    async def _request(self, url: str) -> str | None:
        """Request a URL; return what went wrong."""
        from timewright.runner.http_client import import_httpx
        from timewright.runner.request_errors import explain

        seconds = min(PING_SECONDS, self._remaining())
        if seconds <= 0:
            return "not requested, since no time is left"
        httpx = import_httpx()
        try:
            async with (
                asyncio.timeout(seconds),
                httpx.AsyncClient(headers={"User-Agent": f"timewright/{__version__}"}) as client,
                client.stream("GET", url) as response,
            ):
                status = int(response.status_code)
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a client raises, the request has failed
            return explain(error, seconds)
        return None if status < 400 else f"answered {status}"


def _takes_argument(function: Hook) -> bool:
    """Tell whether a function can be called with one argument."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # some that are written in C tell nothing
        return True
    return True
