"""One field of a cron expression → a set of numbers, held as bits.

The grammar is the one of ``getField`` and ``getRange`` in robfig/cron v3.0.1, which parses ``spec.schedule`` inside
Kubernetes, with its generosities: ``,`` alone is an empty set, ``1,,2`` equals ``1,2``, ``+5`` is 5, and whatever
follows ``*-`` or ``?-`` up to a slash is ignored. A schedule that the API server stores must be readable here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from timewright.timetable.errors import ScheduleError


class Field(NamedTuple):
    """The bounds of a field, both inclusive, and the names that stand for some of its numbers."""

    name: str
    minimum: int
    maximum: int
    names: dict[str, int]

    @property
    def everything(self) -> int:
        """All numbers of the field, as bits."""
        return (2 << self.maximum) - (1 << self.minimum)


class Selection(NamedTuple):
    """The numbers that a field selects.

    ``unrestricted`` tells whether a bare ``*`` or ``?`` (or either with step 1) was among its parts, which decides how
    day-of-month and day-of-week combine.
    """

    bits: int
    unrestricted: bool


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

SECOND = Field("second", 0, 59, {})
MINUTE = Field("minute", 0, 59, {})
HOUR = Field("hour", 0, 23, {})
DAY_OF_MONTH = Field("day of month", 1, 31, {})
MONTH = Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)})
DAY_OF_WEEK = Field("day of week", 0, 6, {name: number for number, name in enumerate(_WEEKDAYS)})

# What Go's strconv.Atoi reads: ASCII digits with an optional sign, no underscores, no other digits of Unicode.
_INTEGER = re.compile(r"[+-]?(?=[0-9])0*([0-9]*)\Z", re.ASCII)
_MOST_DIGITS = 19
_LARGEST_INTEGER = 2**63 - 1


def parse_field(text: str, field: Field, position: int) -> Selection:
    """Read a comma-separated list of ranges that starts at offset ``position`` of its expression.

    Raises:
        ScheduleError: without its ``expression``, which the caller knows.

    """
    if text in ("*", "?"):
        return Selection(field.everything, unrestricted=True)
    bits = 0
    unrestricted = False
    for part in text.split(","):
        if part:
            selection = parse_range(part, field, position)
            bits |= selection.bits
            unrestricted = unrestricted or selection.unrestricted
        position += len(part) + 1
    return Selection(bits, unrestricted)


def parse_range(part: str, field: Field, position: int) -> Selection:
    """Read ``*``, ``?``, a number, or a range, each with an optional step.

    Raises:
        ScheduleError: when the part is none of these, or reaches outside of the field's bounds.

    """
    span, slash, step_text = part.partition("/")
    if "/" in step_text:
        raise _refusal(part, field, position, "has more than one slash", "write one step, such as 0-30/10")
    low_text, hyphen, high_text = span.partition("-")
    unrestricted = low_text in ("*", "?")
    if unrestricted:
        low, high = field.minimum, field.maximum
    else:
        low = _number(low_text, field, position)
        if "-" in high_text:
            raise _refusal(part, field, position, "has more than one hyphen", "write one range, such as 1-5")
        high = _number(high_text, field, position + len(low_text) + 1) if hyphen else low
    step = 1
    if slash:
        step = _step(step_text, field, position + len(span) + 1)
        if not hyphen:
            high = field.maximum
        # A stepped star no longer counts as "any day": `*/2 * 1` in the day fields means either, not both.
        unrestricted = unrestricted and step == 1
    _check_bounds(part, low, high, field, position)
    return Selection(stepped_bits(low, high, step), unrestricted)


def stepped_bits(low: int, high: int, step: int) -> int:
    """Return the bits of every ``step``-th number from ``low`` to ``high``, both inclusive."""
    if step == 1:
        return (2 << high) - (1 << low)
    bits = 0
    for number in range(low, high + 1, step):
        bits |= 1 << number
    return bits


def parse_integer(text: str) -> int | None:
    """Return the number that Go's ``strconv.Atoi`` would read, or ``None`` where it would fail."""
    match = _INTEGER.match(text)
    # Leading zeros are no part of the digits, of which 19 fit into 64 bits.
    if match is None or len(match[1]) > _MOST_DIGITS:
        return None
    number = int(match[1] or "0") * (-1 if text[0] == "-" else 1)
    return number if abs(number) <= _LARGEST_INTEGER else None


def _number(text: str, field: Field, position: int) -> int:
    if text.isdecimal() and len(text) <= 2 and text.isascii():
        return int(text)
    if field.names:
        # Go lower-cases the dotted capital I to a plain i, Python to two characters.
        named = field.names.get(text.replace("İ", "i").lower())
        if named is not None:
            return named
    number = parse_integer(text)
    if number is None:
        raise _not_a_number(text, field, position)
    return number


def _step(text: str, field: Field, position: int) -> int:
    step = parse_integer(text)
    if step is None or step < 1:
        problem = f"the step must be a whole number of at least 1, found {text!r}"
        raise ScheduleError(
            f"{field.name}: {problem}",
            remedy="write the step after the slash, such as */5",
            field=field.name,
            value=text,
            position=position,
        )
    return step


def _check_bounds(part: str, low: int, high: int, field: Field, position: int) -> None:
    if low < field.minimum:
        raise _refusal(part, field, position, f"is below {field.minimum}", expected(field))
    if high > field.maximum:
        remedy = expected(field)
        if field is DAY_OF_WEEK and high == 7:
            remedy = "Sunday is 0 (or SUN) in Kubernetes"
        raise _refusal(part, field, position, f"is above {field.maximum}", remedy)
    if low > high:
        low_name, high_name = part.split("/")[0].split("-") if "-" in part else (low, high)
        remedy = f"to wrap around, write two ranges: {low_name}-{field.maximum},{field.minimum}-{high_name}"
        raise _refusal(part, field, position, "begins after its end", remedy)


def expected(field: Field) -> str:
    """Say which values the field takes, as a remedy."""
    names = f" or a name such as {next(iter(field.names)).upper()}" if field.names else ""
    return f"expected {field.minimum}-{field.maximum}{names}"


def _not_a_number(text: str, field: Field, position: int) -> ScheduleError:
    found = f"{text!r} is not a number" if text else "a number is missing"
    if field.names and text:
        found = f"{text!r} is neither a number nor a name"
    return ScheduleError(
        f"{field.name}: {found}", remedy=expected(field), field=field.name, value=text, position=position
    )


def _refusal(part: str, field: Field, position: int, problem: str, remedy: str) -> ScheduleError:
    return ScheduleError(
        f"{field.name} {part!r} {problem}", remedy=remedy, field=field.name, value=part, position=position
    )
