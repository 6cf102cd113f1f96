"""The duration of ``@every``: what Go's ``time.ParseDuration`` accepts, in whole seconds as robfig/cron rounds it."""

from __future__ import annotations

import re

from timewright.timetable.errors import ScheduleError

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_COMPONENT = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]+)", re.ASCII)
# Go holds a duration in a signed 64-bit count of nanoseconds: some 292 years.
_LARGEST = 2**63 - 1
_MOST_DIGITS = 19


def parse_delay(text: str, position: int) -> int:
    """Return the delay in whole seconds, at least 1, of a duration such as ``90s``, ``1h30m`` or ``1.5h``.

    Follows ``cron.Every`` of robfig/cron v3: fractions of a second are cut off, and anything shorter than a second
    (zero and negative durations among them) counts as one second.

    Raises:
        ScheduleError: where ``time.ParseDuration`` fails; ``position`` is the offset of ``text`` in its expression.

    """
    sign = text[:1] if text[:1] in ("+", "-") else ""
    nanoseconds = _nanoseconds(text, len(sign), position)
    if nanoseconds > _LARGEST + (sign == "-"):
        raise _refusal(text, text, position, "is longer than 292 years")
    if sign == "-":
        return 1
    return max(1, nanoseconds // 1_000_000_000)


def _nanoseconds(text: str, start: int, position: int) -> int:
    if text[start:] == "0":
        return 0
    if start == len(text):
        raise _refusal(text, text, position, "has no duration")
    total = 0
    while start < len(text):
        component = _COMPONENT.match(text, start)
        if component is None:
            rest = text[start:]
            missing = "lacks a unit" if rest[0] in "0123456789." else "is not a duration"
            raise _refusal(text, rest, position + start, missing)
        whole, fraction, unit = component.groups()
        if not whole and not fraction:
            raise _refusal(text, component[0], position + start, "has no number before its unit")
        if unit not in _NANOSECONDS:
            raise _refusal(text, unit, position + component.start(3), f"has the unknown unit {unit!r}")
        if len(whole.lstrip("0")) > _MOST_DIGITS:
            raise _refusal(text, whole, position + component.start(1), "is longer than 292 years")
        total += int(whole[-_MOST_DIGITS:] or "0") * _NANOSECONDS[unit] + _fraction(fraction or "", _NANOSECONDS[unit])
        start = component.end()
    return total


def _fraction(digits: str, unit: int) -> int:
    """Return the nanoseconds of a decimal fraction of a unit, in floating point as Go computes it."""
    numerator = 0
    scale = 1.0
    for digit in digits:
        # Go stops reading digits here, before its 64 bits overflow.
        if numerator > _LARGEST // 10:
            break
        numerator = numerator * 10 + int(digit)
        scale *= 10
    return int(float(numerator) * (unit / scale))


def _refusal(text: str, value: str, position: int, problem: str) -> ScheduleError:
    return ScheduleError(
        f"the delay {text!r} of @every {problem}",
        remedy="write numbers with units h, m or s, such as @every 1h30m",
        field="schedule",
        value=value,
        position=position,
    )
