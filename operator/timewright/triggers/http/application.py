"""The ASGI application: which paths there are, and what each does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from timewright.engine.by_hand import InvalidParametersError
from timewright.storage.protocol import StoreError
from timewright.triggers.event import EventError
from timewright.triggers.http.authentication import TOKEN_HEADER, Tokens, fixed_tokens, is_authorized
from timewright.triggers.http.documents import query_of, task_document
from timewright.triggers.http.problem import Problem, problem_response
from timewright.triggers.http.request import Received, nominal_time, run_request
from timewright.triggers.served_tasks import NoSuchTaskError, ServedTasks, UntimelyError, refuse_untimely
from timewright.triggers.told import nothing_ran_for_want_of_a_store, record_document, summary_document

if TYPE_CHECKING:
    from timewright.engine.by_hand import Request as RunRequest
    from timewright.schedule.schedule import Schedule

TOKEN = "TIMEWRIGHT_SERVE_TOKEN"  # noqa: S105 - the name of a variable
BODY_LIMIT = 64 * 1024
RETRY_SECONDS = "10"

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]*)?")

Endpoint = Callable[[Request], Awaitable[Response]]
Result = TypeVar("Result")

logger = logging.getLogger("timewright")


def asgi_app(
    schedule: Schedule | str | ServedTasks,
    *,
    token: str | Sequence[str] | Tokens | None = None,
    authenticate: bool = True,
    hosts: Sequence[str] = (),
    deadline_seconds: float | None = None,
    body_limit: int = BODY_LIMIT,
) -> Starlette:
    """Return an application that runs a schedule, to be served by itself or mounted in another.

    Args:
        schedule: what to run, or the `module:attribute` that names it.
        token: what callers have to show; several are accepted while one replaces the other. When left out,
            TIMEWRIGHT_SERVE_TOKEN says it.
        authenticate: False accepts every caller, save for web pages: requests that a browser sends for another site.
        hosts: when given, names that a request may be addressed to.
        deadline_seconds: how long a request may take. Runs that are not over by then are stopped, and recorded.
        body_limit: how many bytes a body may have.

    Raises:
        TokenError: when nothing is said that could be a token.
        LoadError: when there is no such schedule.
        DeclarationError: when a task cannot be declared as it is.

    """
    if isinstance(schedule, str):
        schedule = ServedTasks.of_app(schedule)
    served = schedule if isinstance(schedule, ServedTasks) else ServedTasks.of_schedule(schedule)
    guard = _Guard(_tokens(token) if authenticate else None, frozenset(host.lower() for host in hosts))
    endpoints = _Endpoints(served, deadline_seconds, body_limit)
    application = Starlette(
        routes=[
            Route("/healthz", _health, methods=["GET"]),
            Route("/run", guard(endpoints.run), methods=["POST"]),
            Route("/tasks", guard(endpoints.tasks), methods=["GET"]),
            Route("/tasks/{name:path}/run", guard(endpoints.run_task), methods=["POST"]),
            Route("/runs", guard(endpoints.runs), methods=["GET"]),
        ],
        exception_handlers={HTTPException: problem_response, Exception: problem_response},
        lifespan=endpoints.lifespan,
    )
    application.state.served = served
    return application


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


class _Guard:
    """Lets only those call who may."""

    def __init__(self, tokens: Tokens | None, hosts: frozenset[str]) -> None:
        self._tokens = tokens
        self._hosts = hosts

    def __call__(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            if self._hosts and _host(request) not in self._hosts:
                raise Problem(421, f"this server does not answer for {request.headers.get('host', '')!r}")
            if self._tokens is None:
                self._refuse_web_pages(request)
            elif not is_authorized(
                request.headers.get("authorization"), request.headers.get(TOKEN_HEADER), self._tokens()
            ):
                detail = "show the token, as Authorization: Bearer TOKEN or X-Timewright-Token: TOKEN"
                raise Problem(401, detail, {"WWW-Authenticate": "Bearer"})
            return await endpoint(request)

        return guarded

    def _refuse_web_pages(self, request: Request) -> None:
        """Refuse what a browser sends for a web page, which could be anybody's."""
        if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
            raise Problem(403, "web pages may not call this server, since it asks nobody for a token")


def _host(request: Request) -> str | None:
    """Return the name or address that a request is addressed to."""
    # Not request.url: where the header is none, that has the address of the server.
    found = _HOST.fullmatch(request.headers.get("host", ""))
    return found[1].strip("[]").lower() if found else None


class _Endpoints:
    """What the paths do."""

    def __init__(self, served: ServedTasks, deadline_seconds: float | None, body_limit: int) -> None:
        self._served = served
        self._deadline_seconds = deadline_seconds
        self._body_limit = body_limit
        self._under_way: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def lifespan(self, application: Starlette) -> AsyncIterator[None]:
        """Wait, on the way out, for calls whose callers do not."""
        yield
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def run(self, request: Request) -> Response:
        """Run what is due at a minute."""
        with _problems():
            at = nominal_time(await self._received(request))
            if at is not None:
                refuse_untimely(at)
            call = self._start(self._served.run_due(at, deadline_seconds=self._deadline_seconds))
            if _responds_early(request):
                call.add_done_callback(_tell_failure)
                return _accepted({"scheduledAt": at.isoformat() if at else None})
            summary = await asyncio.shield(call)
        if nothing_ran_for_want_of_a_store(summary):
            raise Problem(503, "; ".join(summary.trouble), {"Retry-After": RETRY_SECONDS})
        return JSONResponse(summary_document(summary))

    async def run_task(self, request: Request) -> Response:
        """Run one task now."""
        name = request.path_params["name"]
        with _problems():
            wanted = run_request(await self._received(request))
            if _responds_early(request):
                return self._run_task_later(name, wanted)
            call = self._start(self._served.run_now(name, wanted, deadline_seconds=self._deadline_seconds))
            return JSONResponse(record_document(await asyncio.shield(call)))

    def _run_task_later(self, name: str, wanted: RunRequest) -> Response:
        """Answer before the run has ended. With the key of the answer the caller can ask how it went."""
        self._served.check(name, wanted)
        wanted = replace(wanted, idempotency_key=wanted.idempotency_key or uuid4().hex)
        call = self._start(self._served.run_now(name, wanted, deadline_seconds=self._deadline_seconds))
        call.add_done_callback(_tell_failure)
        return _accepted({"task": name, "idempotencyKey": wanted.idempotency_key})

    async def tasks(self, request: Request) -> Response:
        """List the tasks."""
        with _problems():
            listed = await self._served.list(ticks=3)
        return JSONResponse({"items": [task_document(task) for task in listed]})

    async def runs(self, request: Request) -> Response:
        """List runs, those with the latest nominal time first."""
        with _problems():
            found = await self._served.history(query_of(request.query_params))
        return JSONResponse({"items": [record_document(run) for run in found]})

    async def _received(self, request: Request) -> Received:
        """Read the body, unless it is longer than it may be."""
        body = b""
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > self._body_limit:
                    raise Problem(413, f"the body is longer than {self._body_limit} bytes")
        except ClientDisconnect as error:
            raise Problem(400, "the body has no end") from error
        return Received(dict(request.headers), body)

    def _start(self, coroutine: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Begin a call that goes on when its caller hangs up."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task


def _tell_failure(task: asyncio.Task[Any]) -> None:
    """Log what nobody waits to be told."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("a call that was answered early failed: %s", task.exception())


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    """Turn what went wrong into the problem that the caller is told."""
    try:
        yield
    except NoSuchTaskError as error:
        raise Problem(404, str(error)) from error
    except EventError as error:
        raise Problem(400, str(error)) from error
    except (UntimelyError, InvalidParametersError) as error:
        raise Problem(422, str(error)) from error
    except StoreError as error:
        raise Problem(503, str(error), {"Retry-After": RETRY_SECONDS}) from error


def _responds_early(request: Request) -> bool:
    """Tell whether the caller would rather not wait (RFC 7240)."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return "respond-async" in (each.partition(";")[0].strip().lower() for each in preferences)


def _accepted(document: Mapping[str, Any]) -> Response:
    return JSONResponse(dict(document), 202, {"Preference-Applied": "respond-async"})


def _tokens(token: str | Sequence[str] | Tokens | None) -> Tokens:
    if callable(token):
        return token
    if token is None:
        named = os.environ.get(TOKEN, "")
        return fixed_tokens([named] if named else [], f"the environment variable {TOKEN}")
    return fixed_tokens([token] if isinstance(token, str) else token, "token")
