"""What a declared task does: a call, a command, a request."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from timewright.schedule.fluent import refusal


class FunctionCall(NamedTuple):
    """A call of a Python function."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Command(NamedTuple):
    """A command, not run in a shell unless its first word is one."""

    arguments: list[str]


class Request(NamedTuple):
    """An HTTP request; see `resources.kinds.HttpRequest`, which it becomes."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str | None
    expected_status: tuple[str, ...]


Work = FunctionCall | Command | Request

_SHELL_SIGNS = ("|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1")
_STATUS = re.compile(r"[1-5](xx|[0-9][0-9])\Z", re.ASCII)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def read_command(command: str | Sequence[str]) -> Command:
    """Return a command: a text is split into words as a shell would, and nothing else of a shell happens.

    Raises:
        DeclarationError: when it is empty, holds anything but texts, or looks as if it were meant for a shell.

    """
    if isinstance(command, str):
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise refusal(
                "command", command, f"cannot be split into words: {error}", "quote it as for a shell"
            ) from error
        signs = [word for word in words if word in _SHELL_SIGNS]
        if signs:
            remedy = "use shell(), or write a list of words if it is meant literally"
            raise refusal("command", command, f"has {signs[0]!r}, which means nothing without a shell", remedy)
    else:
        words = [str(word) if isinstance(word, int | float) else word for word in command]
    if not words or not all(isinstance(word, str) for word in words):
        raise refusal(
            "command", command, "is no command", 'write one like "php artisan queue:prune", or a list of words'
        )
    return Command(words)


def read_shell(script: str) -> Command:
    """Return a command that has a POSIX shell run a script.

    Raises:
        DeclarationError: when it is not a text.

    """
    if not isinstance(script, str) or not script.strip():
        raise refusal("shell", script, "is no script", 'write one like "pg_dump shop | gzip > shop.sql.gz"')
    return Command(["/bin/sh", "-c", script])


def read_request(
    url: str,
    method: str,
    headers: Mapping[str, str],
    body: str | None,
    json: object,
    expected_status: Sequence[int | str],
) -> Request:
    """Return a request.

    Raises:
        DeclarationError: when any of it does not fit.

    """
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise refusal("http", url, "is no address", 'write one like "https://example.com/sync"')
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise refusal("http method", method, "is not known", f"write one of {', '.join(_METHODS)}")
    named = [*headers.items()]
    if json is not None:
        if body is not None:
            raise refusal("http body", body, "comes with json", "give one of them")
        from json import dumps

        body = dumps(json, ensure_ascii=False)
        if "content-type" not in {name.lower() for name in headers}:
            named.append(("Content-Type", "application/json"))
    statuses = tuple(str(status) for status in expected_status)
    for status in statuses:
        if not _STATUS.match(status):
            raise refusal(
                "http expected_status", status, "is not known", 'write numbers like 204, or classes like "2xx"'
            )
    return Request(method.upper(), url, tuple(named), body, statuses)
