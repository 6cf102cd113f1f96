"""From what a user wrote to a :class:`~timewright.timetable.schedule.Schedule`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from timewright.timetable.durations import parse_delay
from timewright.timetable.every import Every
from timewright.timetable.native import EVERY, parse_fields, refuse_time_zone
from timewright.timetable.native_ticks import NativeTicks
from timewright.timetable.schedule import Schedule
from timewright.timetable.zones import load_zone

if TYPE_CHECKING:
    from timewright.timetable.ticks import Ticks
    from timewright.timetable.zones import Zone


class Dialect(StrEnum):
    """How much of the language is allowed."""

    NATIVE = "Native"
    """What a batch/v1 CronJob accepts: five fields, descriptors and ``@every``."""
    EXTENDED = "Extended"
    """All of it."""


def parse(
    expression: str,
    *,
    time_zone: str | None = None,
    dialect: Dialect = Dialect.EXTENDED,
) -> Schedule:
    """Read a schedule.

    Raises:
        ScheduleError: when the expression is not of the dialect, never fires, or the time zone is unknown.

    """
    zone = load_zone("UTC" if time_zone is None else time_zone)
    return Schedule((expression,), zone.name, _ticks(expression, zone))


def _ticks(expression: str, zone: Zone) -> Ticks:
    refuse_time_zone(expression)
    if expression.startswith(EVERY):
        return Every(parse_delay(expression[len(EVERY) :], len(EVERY)))
    return NativeTicks(parse_fields(expression), zone)
