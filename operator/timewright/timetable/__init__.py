"""The timetable: which ticks a schedule has. Pure: no clock, no files, no network.

Start at :func:`parse` (``parsing``), which turns what a user wrote into a :class:`Schedule` (``schedule``). Below it:

- the language: ``fields``, ``native``, ``extended``, ``spread`` (``H``), ``durations`` (``@every``), ``errors``;
- the arithmetic, on whole UTC seconds: ``days`` and ``wallclock`` (which local times), ``zones``, ``recurrence`` (local
  times in a zone, under the policies of ``daylight``), ``every``; ``robfig_walk`` and ``native_ticks`` (what Kubernetes
  does where clocks change oddly);
- what narrows a schedule: ``windows``, ``calendars``, ``icalendar_documents``, put to work by ``openings``, ``moving``,
  ``combining`` and ``limiting``;
- what is told and made of it, loaded when asked for: ``explaining`` with ``wording``, ``cautions`` and ``changes``;
  ``compiling`` (to native CronJobs) with ``native_expressions`` and ``gate``.
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
