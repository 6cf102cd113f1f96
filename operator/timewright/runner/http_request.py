"""Makes an HTTP request; the status of the response decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timewright import __version__
from timewright.resources.definition import secret_variable
from timewright.resources.vocabulary import Reason
from timewright.runner.capture import readable
from timewright.runner.context import RunContext
from timewright.runner.definition import public_url
from timewright.runner.expansion import expand, unresolved
from timewright.runner.http_client import import_httpx
from timewright.runner.limits import Limits
from timewright.runner.output import Output
from timewright.runner.request_errors import explain
from timewright.runner.result import Result, cancelled, failed, succeeded
from timewright.runner.stop import StopRequest

if TYPE_CHECKING:
    from timewright.resources.kinds import HttpHeader, HttpRequest

CONNECT_SECONDS = 10.0
"""How long a connection may take to be made, TLS included."""

DEFAULT_TIMEOUT_SECONDS = 300.0
"""The time-out of a task that names none: a server that never answers must not hold a run for ever."""

BODY_SHOWN_BYTES = 2000
"""How much of the response's beginning goes into the output; a record holds little more."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. `size` is that of the whole body in bytes, `head` its beginning."""

    status: int
    phrase: str
    head: bytes
    size: int


async def run(request: HttpRequest, context: RunContext, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Make the request, within the time-out from the first look-up of a name to the last byte of the response."""
    timeout = limits.timeout or DEFAULT_TIMEOUT_SECONDS
    sending = asyncio.ensure_future(_send(request, context))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({sending, stopping}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            if stop.requested:
                return cancelled(stop)
            within = limits.within()
            if limits.timeout is None:
                within = f"within {timeout:g} s (the default; set {limits.timeout_name} to wait longer)"
            return failed(Reason.TIMED_OUT, f"{_named(request, context)}: no full response {within}")
        return _judge(request, context, sending, output)
    finally:
        sending.cancel()
        stopping.cancel()


def _judge(request: HttpRequest, context: RunContext, sending: asyncio.Future[Response], output: Output) -> Result:
    name = _named(request, context)
    try:
        response = sending.result()
    except Exception as error:  # noqa: BLE001 - whatever a client raises, the request has failed
        place = "spec.http." if context.is_manifest else ""
        text = f"{name}: {explain(error, CONNECT_SECONDS, place)}"
        for variable in unresolved(request.url, context.environment):
            text += f"; {place}url names $({variable}), which is not set"
            text += "; set it in spec.env" if context.is_manifest else ""
        return failed(Reason.REQUEST_FAILED, text)
    output.say(f"{name} → {response.status} {response.phrase}, {response.size} bytes")
    text = readable(response.head)
    if response.size > len(response.head):
        text += f"\n… {response.size - len(response.head)} bytes more …\n"
    output.show(text)
    status = f"{response.status} {response.phrase}".strip()
    if _expected(response.status, request.expected_status):
        return succeeded(f"{name}: {status}")
    expected = ", ".join(request.expected_status)
    field = "spec.http.expectedStatus" if context.is_manifest else "expected_status"
    return failed(Reason.UNEXPECTED_STATUS, f"{name}: {status}; expected {expected} ({field})")


async def _send(request: HttpRequest, context: RunContext) -> Response:
    httpx = import_httpx()
    environment = context.environment
    headers = [(header.name.encode(), value.encode()) for header, value in _headers(request, context)]
    body = None if request.body is None else expand(request.body, environment).encode()
    timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
    async with (
        httpx.AsyncClient(timeout=timeout, headers={"User-Agent": f"timewright/{__version__}"}) as client,
        client.stream(
            request.method.value, expand(request.url, environment), headers=headers, content=body
        ) as response,
    ):
        head, size = bytearray(), 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            head += chunk[: BODY_SHOWN_BYTES - len(head)]
        return Response(response.status_code, response.reason_phrase, bytes(head), size)


def _headers(request: HttpRequest, context: RunContext) -> list[tuple[HttpHeader, str]]:
    pairs = []
    for header in request.headers:
        if header.value_from is not None:
            reference = header.value_from.secret_key_ref
            value = context.secrets[secret_variable(reference.name, reference.key)]
        else:
            value = expand(header.value or "", context.environment)
        pairs.append((header, value))
    return pairs


def _expected(status: int, patterns: list[str]) -> bool:
    return any(pattern in (str(status), f"{status // 100}xx") for pattern in patterns)


def _named(request: HttpRequest, context: RunContext) -> str:
    """Return method and URL for messages."""
    return f"{request.method} {public_url(expand(request.url, context.environment))}"
