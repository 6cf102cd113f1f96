"""``H``: a number that a task keeps, different from task to task, so that not everything starts at minute 0.

The idea and the notation are those of Jenkins. The number comes from a hash of the task's identity, which is the same
in every process, on every machine and in every release.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

from timewright.timetable.errors import ScheduleError
from timewright.timetable.fields import DAY_OF_MONTH, Selection, expected, parse_integer, stepped_bits

if TYPE_CHECKING:
    from timewright.timetable.fields import Field

_ITEM = re.compile(r"[Hh](?:\(([0-9]{1,2})-([0-9]{1,2})\))?(?:/(.*))?\Z", re.ASCII | re.DOTALL)
# Every month has this many days, so that a task spread over days runs in each of them.
_DAYS_OF_EVERY_MONTH = 28


def seed_of(cluster_salt: str, namespace: str, name: str) -> str:
    """Return the seed of a task: tasks of the same name in two clusters are spread differently."""
    return "\0".join((cluster_salt, namespace, name))


def seed_of_task(namespace: str, name: str) -> str:
    """Return the seed of a ScheduledTask, whose cluster has no salt yet: the same in a cluster and outside of one."""
    return seed_of("", namespace, name)


def parse_spread(part: str, field: Field, position: int, seed: str | None) -> Selection:
    """Read ``H``, ``H(0-29)``, ``H/15`` or ``H(0-29)/10``.

    A plain ``H`` selects one number; with a step, every step-th number from a start below the step.

    Raises:
        ScheduleError: when the part is none of these, its range leaves the field's bounds, or there is no seed.

    """
    match = _ITEM.match(part)
    if match is None:
        raise _refusal(part, field, position, "is no spread", "write H, H(0-29), H/15 or H(0-29)/10")
    if seed is None:
        remedy = "name the task: --task of schedule:explain, or the seed of parse()"
        raise _refusal(part, field, position, "spreads by the identity of a task, which is not known here", remedy)
    low, high = _bounds(match, part, field, position)
    if match[3] is None:
        number = low + _hash(seed, field) % (high - low + 1)
        return Selection(1 << number, unrestricted=False)
    step = parse_integer(match[3])
    if step is None or not 1 <= step <= high - low + 1:
        remedy = f"write a step from 1 to {high - low + 1}"
        raise _refusal(part, field, position, "has a step that does not fit its range", remedy)
    return Selection(stepped_bits(low + _hash(seed, field) % step, high, step), unrestricted=False)


def _bounds(match: re.Match[str], part: str, field: Field, position: int) -> tuple[int, int]:
    if match[1] is None:
        return field.minimum, _DAYS_OF_EVERY_MONTH if field is DAY_OF_MONTH else field.maximum
    low, high = int(match[1]), int(match[2])
    if not field.minimum <= low <= high <= field.maximum:
        raise _refusal(part, field, position, "has a range that does not fit the field", expected(field))
    return low, high


def _hash(seed: str, field: Field) -> int:
    # The field's name keeps minute and hour from moving together.
    return int.from_bytes(blake2b(f"{field.name}\0{seed}".encode(), digest_size=8).digest(), "big")


def _refusal(part: str, field: Field, position: int, problem: str, remedy: str) -> ScheduleError:
    return ScheduleError(
        f"{field.name} {part!r} {problem}", remedy=remedy, field=field.name, value=part, position=position
    )
