"""Says in plain words why an HTTP request failed."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator


def explain(error: BaseException, connect_seconds: float, place: str = "") -> str:
    """Return the cause, and the remedy where there is one.

    `connect_seconds` is the limit for making a connection, `place` what the names of a manifest's fields begin with.
    """
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return f"the host name cannot be resolved ({cause.strerror}); check the URL, and the cluster's DNS"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"the server's certificate is not trusted ({cause.verify_message}); for a private authority mount "
                "its certificate and name the file in SSL_CERT_FILE"
            )
        if isinstance(cause, ssl.SSLError):
            return f"no TLS connection ({cause.reason or cause}); is this a plain http port?"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused: nothing listens there, or a network policy forbids it"
    return _explain_by_name(error, connect_seconds, place)


def _explain_by_name(error: BaseException, connect_seconds: float, place: str) -> str:
    """Explain httpx's own errors, by name so that nothing imports httpx for it."""
    name, text = type(error).__name__, str(error)
    if name == "ConnectTimeout":
        return f"no connection within {connect_seconds:g} s: the host does not answer, or a network policy drops it"
    if name in ("InvalidURL", "UnsupportedProtocol"):
        return f"not a URL that can be requested ({text}); check {place}url and the variables in it"
    if name == "LocalProtocolError":
        return f"the request cannot be sent as it is ({text}); check {place}headers"
    if name == "RemoteProtocolError":
        return f"the server did not answer as HTTP asks ({text})"
    if name in ("ReadError", "WriteError", "CloseError"):
        return f"the connection broke ({text or 'reset by the server'})"
    if name == "ProxyError":
        return f"the proxy refused ({text}); check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
    return f"{name}: {text}" if text else name


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what led to it, the outermost first; the members of groups count."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
