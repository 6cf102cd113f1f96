"""Short ways to write instants and to list ticks."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timewright.timetable import Schedule


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks_after(schedule: Schedule, instant: datetime) -> Iterator[datetime]:
    tick = schedule.next_after(instant)
    while tick is not None:
        yield tick
        tick = schedule.next_after(tick)


def first_ticks(schedule: Schedule, start: str, count: int) -> list[str]:
    """Return ticks as ISO 8601 in UTC."""
    return [f"{tick:%Y-%m-%dT%H:%M:%SZ}" for tick in islice(ticks_after(schedule, utc(start)), count)]


def local_ticks(schedule: Schedule, start: str, count: int) -> list[str]:
    """Return ticks as local times with their offsets."""
    zone = ZoneInfo(schedule.time_zone)
    return [f"{tick.astimezone(zone):%Y-%m-%d %H:%M %z}" for tick in islice(ticks_after(schedule, utc(start)), count)]


def ticks_until(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    return list(takewhile(lambda tick: tick <= end, ticks_after(schedule, start)))
