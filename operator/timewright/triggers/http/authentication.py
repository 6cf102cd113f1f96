"""Who may call. A request shows a token, and any of the tokens that are accepted will do."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

TOKEN_HEADER = "x-timewright-token"  # noqa: S105 - the name of a header
"""For callers whose Authorization header is spoken for, such as Cloud Scheduler's before Cloud Run."""

SHORTEST_TOKEN = 16
"""Characters. A shorter one could be guessed."""

Tokens = Callable[[], Sequence[str]]
"""Returns the tokens that are accepted at the moment."""


class TokenError(ValueError):
    """There is no token that could be accepted. The text says where it was looked for, and the remedy."""


def fixed_tokens(tokens: Iterable[str], place: str) -> Tokens:
    """Accept these. Raises TokenError, which tells the place that they come from, unless each could be a token."""
    accepted = tuple(tokens)
    if not accepted:
        raise TokenError(f"{place} has no token; {_REMEDY}")
    for token in accepted:
        if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
            raise TokenError(
                f"{place} has a token that is no such: expected at least {SHORTEST_TOKEN} printable ASCII characters "
                f"without spaces; {_REMEDY}"
            )
    return lambda: accepted


def tokens_of_file(path: Path) -> Tokens:
    """Accept the tokens of a file, one a line, as it is at each request: so they can be replaced one after the other.

    Raises TokenError if there is none now. While the file cannot be read later, nothing is accepted.
    """
    fixed_tokens(_lines(path), f"the file {path}")

    def tokens() -> Sequence[str]:
        try:
            return fixed_tokens(_lines(path), str(path))()
        except TokenError:
            return ()

    return tokens


def is_authorized(authorization: str | None, token_header: str | None, accepted: Sequence[str]) -> bool:
    """Tell whether either header shows an accepted token. How long it takes does not tell how near a guess is."""
    shown = [token_header] if token_header is not None else []
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        shown.append(credentials.strip())
    matches = [hmac.compare_digest(_digest(token), _digest(each)) for token in accepted for each in shown]
    return any(matches)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise TokenError(f"the file {path} cannot be read: {error.strerror}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


_REMEDY = "make one with: openssl rand -hex 32"
