"""The timetable: which ticks a schedule has. Pure: no clock, no files, no network.

:func:`parse` reads what a user wrote and returns a :class:`Schedule`, which finds and counts ticks. What makes a
schedule more than a cron expression lives in modules of its own, loaded when needed: ``windows``, ``calendars``,
``spread`` (the seed of ``H``), ``compiling`` (to native CronJobs) and ``explaining``.
"""

from timewright.timetable.daylight import DaylightSaving, Gap, Overlap
from timewright.timetable.errors import NeverFiresError, ScheduleError, UnknownTimeZoneError
from timewright.timetable.parsing import Dialect, parse
from timewright.timetable.schedule import Schedule

__all__ = [
    "DaylightSaving",
    "Dialect",
    "Gap",
    "NeverFiresError",
    "Overlap",
    "Schedule",
    "ScheduleError",
    "UnknownTimeZoneError",
    "parse",
]
