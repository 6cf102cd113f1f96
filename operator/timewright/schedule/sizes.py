"""Amounts of memory as people write them → bytes."""

from __future__ import annotations

import re

from timewright.schedule.fluent import refusal

_SIZE = re.compile(r"([0-9]+)\s*([KMGT]i?)?B?\Z", re.ASCII)
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_UNITS |= {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}


def read_size(field: str, value: int | str) -> int:
    """Return bytes.

    Raises:
        DeclarationError: when it is not a positive amount.

    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.match(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise refusal(field, value, "is no amount of memory", "write bytes, or a text such as 512Mi")
    return int(match[1]) * _UNITS[match[2] or ""]
