"""Variables in texts: `$(NAME)` in the arguments of a command, in the URL, body and headers of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Put variables in place of `$(NAME)` as Kubernetes does in a container's args.

    `$$` stands for one `$`, so `$$(NAME)` stays `$(NAME)`; a variable that does not exist stays as it is written. See
    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/.
    """

    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else environment.get(name, match[0])

    return _REFERENCE.sub(replacement, text)


def unresolved(text: str, environment: Mapping[str, str]) -> list[str]:
    """Return the variables that a text refers to and that do not exist."""
    return [name for name in referred(text) if name not in environment]


def referred(text: str) -> list[str]:
    """Return the variables that a text refers to."""
    return [match[1] for match in _REFERENCE.finditer(text) if match[1] is not None]
