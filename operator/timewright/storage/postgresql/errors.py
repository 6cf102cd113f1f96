"""What a person is told when PostgreSQL cannot be used."""

from __future__ import annotations

import re

from timewright.storage.protocol import StoreError


def shown(url: str) -> str:
    """Return a URL without its password and its parameters, however it is misspelt."""
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    if "?" in credentials:
        # The last @ may be in a password that is a parameter.
        return f"{scheme}://…"
    return f"{scheme}://{re.split('[:/]', credentials)[0]}{at}{place.partition('?')[0]}"


def unreachable(name: str, error: Exception, secret: str | None) -> StoreError:
    """Return what to raise when there is no connection."""
    return StoreError(
        f"the store {name} cannot be reached: {_text(error, secret)}. See whether the server is up and lets this "
        "machine and this user in"
    )


def timed_out(name: str, timeout: float) -> StoreError:
    """Return what to raise when an answer was waited for in vain. `timeout` is in seconds."""
    return StoreError(
        f"the store {name} did not answer within {timeout:g} s. See whether the server is up, can be reached, and is "
        "not overloaded"
    )


def failed(name: str, error: Exception, secret: str | None) -> StoreError:
    """Return what to raise for an error that the server told."""
    return StoreError(f"the store {name} failed: {_text(error, secret)}. {_remedy(getattr(error, 'sqlstate', None))}")


def _remedy(sqlstate: str | None) -> str:
    if sqlstate is None or sqlstate.startswith(("08", "57")):
        return "See whether the server is up; it is tried again with the next request"
    if sqlstate == "42501":
        return "Grant this user CREATE on the database, or make a schema `timewright` that belongs to it"
    if sqlstate == "25006":
        return "Name the primary server: this one is read-only"
    if sqlstate == "53100":
        return "Free space on the server's disk"
    return "See the server's log"


def _text(error: Exception, secret: str | None) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(secret, "…") if secret else text
