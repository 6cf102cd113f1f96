"""Reads instants and durations as people write them in arguments, and writes them as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from timewright.cli.words import seconds_in_words

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:[0-9]+[smhdw])+", re.ASCII)
_PART = re.compile(r"([0-9]+)([smhdw])", re.ASCII)
_LONGEST = 100 * 366 * 86_400


def read_instant(text: str) -> int:
    """Return UTC seconds of an ISO 8601 time, which is in UTC where it does not say otherwise.

    Raises:
        ValueError: when it is none.

    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time; write it like 2026-03-08T04:00:00Z") from error
    return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())


def read_duration(text: str) -> int:
    """Return the seconds of a duration such as 90s, 1h30m or 7d.

    Raises:
        ValueError: when it is none, or longer than a hundred years.

    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write it like 90s, 1h30m or 7d")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return seconds


def duration_in_words(seconds: float) -> str:
    """Write a duration to about two digits: 0.04s, 2.3s, 45s, 3m20s, 2h05m, 4d2h."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds:.2f}s"
    if seconds < 10:
        return f"{seconds:.1f}s"
    return seconds_in_words(seconds)


def distance_in_words(seconds: float) -> str:
    """Write how far off an instant is: in 4m10s, 3h20m ago."""
    if abs(seconds) < 1:
        return "now"
    text = seconds_in_words(abs(seconds))
    return f"in {text}" if seconds > 0 else f"{text} ago"
