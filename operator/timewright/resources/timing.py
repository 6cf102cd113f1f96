"""What narrows a schedule beyond its expressions: calendars, and what to do when clocks change."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from timewright.resources.model import Model

Expression = Annotated[str, Field(min_length=1, max_length=1024)]
WindowText = Annotated[str, Field(min_length=1, max_length=256)]

Excluded = Literal["Skip", "PreviousDay", "NextDay"]
"""What becomes of a tick that a calendar closes; the words of `timetable.calendars.Excluded`."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)


def _day(value: object) -> date:
    """Read a day as the API server reads `format: date`; YAML may have made a date of it already."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.match(value):
        raise ValueError("a day is written like 2026-12-25")
    return date.fromisoformat(value)


Day = Annotated[date, BeforeValidator(_day)]


class HolidayCalendar(Model):
    """The public holidays of a country, or of a part of it."""

    country: str = Field(pattern=r"^[A-Z]{2,3}$", description="The country's ISO 3166 code, such as DE.")
    subdivision: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="A part of the country, by its ISO 3166-2 code without the country, such as BY.",
    )


class TaskCalendar(Model):
    """Days and hours on which nothing runs. Exactly one of the fields is set."""

    # Says "exactly one" without a rule that the API server would have to evaluate.
    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    dates: list[Day] | None = Field(
        default=None, min_length=1, max_length=1000, description="Days, such as 2026-12-25."
    )
    holidays: HolidayCalendar | None = Field(default=None, description="The public holidays of a country.")
    i_calendar: str | None = Field(
        default=None,
        min_length=1,
        max_length=262144,
        description="An iCalendar document (RFC 5545). An event of whole days closes them, any other its time; "
        "cancelled and free ones close nothing.",
    )


class DaylightSavingPolicy(Model):
    """What becomes of local times that a change of the clock leaves out or repeats."""

    gap: Literal["Skip", "RunAfter"] = Field(
        default="Skip",
        description="What becomes of a tick whose local time does not exist that day: Skip leaves it out, RunAfter "
        "runs it at the first instant after the gap.",
    )
    overlap: Literal["First", "Last", "Both"] = Field(
        default="Both", description="Which instants are ticks where a local time happens twice: First, Last, or Both."
    )
