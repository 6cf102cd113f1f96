"""The ticks that the spec of a ScheduledTask names."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.timetable import DaylightSaving, Gap, Overlap, Schedule, parse
from timewright.timetable.zones import EPOCH, load_zone

if TYPE_CHECKING:
    from timewright.resources.timing import TaskCalendar
    from timewright.timetable.calendars import Calendar

_OF_TICKS = {
    "schedule",
    "schedules",
    "time_zone",
    "windows",
    "calendars",
    "excluded",
    "daylight_saving",
    "start_at",
    "end_at",
    "jitter_seconds",
}
"""The fields that decide which ticks there are, and when their runs start."""


def timetable_of(spec: ScheduledTaskSpec, *, seed: str | None = None, native: bool = False) -> Schedule:
    """Read everything that a spec says of when.

    Args:
        spec: the spec; what else it says does not matter here.
        seed: what `H` is spread by, see `timetable.spread.seed_of_task`; without it `H` is refused.
        native: whether it is for a native CronJob, in which a lone `@every` counts from the last tick. Everywhere else
            it stays on a grid from `startAt`, or from 1970, since what asks for ticks does not always ask from one.

    Raises:
        ScheduleError: when any of it is not of the form described, or leaves no tick. Its `field` is `timeZone`,
            `windows`, `calendars` or `endAt`; anything else is about the expressions.

    """
    saving = spec.daylight_saving
    calendars: tuple[Calendar, ...] = ()
    excluded = None
    if spec.calendars:
        from timewright.timetable.calendars import Excluded

        calendars = tuple(_calendar(each, spec.time_zone) for each in spec.calendars)
        excluded = Excluded(spec.excluded) if spec.excluded else None
    return parse(
        spec.expressions,
        time_zone=spec.time_zone,
        seed=seed,
        daylight_saving=None if saving is None else DaylightSaving(Gap(saving.gap), Overlap(saving.overlap)),
        windows=spec.windows or (),
        calendars=calendars,
        excluded=excluded,
        start_at=spec.start_at,
        end_at=spec.end_at,
        anchor=None if native else spec.start_at or EPOCH,
    )


def timing_of(spec: ScheduledTaskSpec) -> str:
    """Return everything that a spec says of when, as JSON."""
    said = {"schedules": list(spec.expressions), **_said_of_ticks(spec)}
    said.pop("schedule", None)
    return json.dumps(said, sort_keys=True, separators=(",", ":"))


def timetable_of_timing(timing: str, *, seed: str | None = None) -> tuple[Schedule, int]:
    """Read what `timing_of` has written, and by how many seconds starts are put off at most.

    Raises ValueError when it cannot be read.
    """
    spec = ScheduledTaskSpec.model_validate_json(timing)
    return timetable_of(spec, seed=seed), spec.jitter_seconds or 0


def _said_of_ticks(spec: ScheduledTaskSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True, include=_OF_TICKS)


def schedule_id_of(spec: ScheduledTaskSpec, *, seed: str | None = None) -> str:
    """Return a short digest that changes whenever the ticks of a spec may."""
    said = _said_of_ticks(spec)
    text = json.dumps([spec.expressions, said, seed], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _calendar(given: TaskCalendar, time_zone: str | None) -> Calendar:
    from timewright.timetable.calendars import Dates, Holidays

    if given.holidays is not None:
        return Holidays(given.holidays.country, given.holidays.subdivision)
    if given.i_calendar is not None:
        from timewright.timetable.icalendar_documents import Document

        return Document(given.i_calendar, load_zone(time_zone or "UTC"))
    return Dates(given.dates or ())
