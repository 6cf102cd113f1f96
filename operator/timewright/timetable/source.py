"""What a schedule is made of, kept apart for those who explain or compile it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from timewright.timetable.calendars import Calendar, Excluded
    from timewright.timetable.daylight import DaylightSaving
    from timewright.timetable.every import Every
    from timewright.timetable.native_ticks import NativeTicks
    from timewright.timetable.recurrence import Recurrence
    from timewright.timetable.wallclock import WallClock
    from timewright.timetable.windows import Window


class Source(NamedTuple):
    """One expression of a schedule.

    ``wallclock`` is ``None`` for ``@every``. ``native`` tells whether the expression, as written and without any
    policy, is one that a CronJob accepts.
    """

    expression: str
    wallclock: WallClock | None
    ticks: NativeTicks | Recurrence | Every
    native: bool
    policy: DaylightSaving | None = None


class Limits(NamedTuple):
    """What narrows a schedule beyond its expressions; instants are UTC seconds, both included."""

    windows: tuple[Window, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    excluded: Excluded | None = None
    start: int | None = None
    end: int | None = None
