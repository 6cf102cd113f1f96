"""The timetable: which ticks a schedule has. Pure: no clock, no files, no network."""

from timewright.timetable.errors import NeverFiresError, ScheduleError, UnknownTimeZoneError
from timewright.timetable.parsing import Dialect, parse
from timewright.timetable.schedule import Schedule

__all__ = ["Dialect", "NeverFiresError", "Schedule", "ScheduleError", "UnknownTimeZoneError", "parse"]
