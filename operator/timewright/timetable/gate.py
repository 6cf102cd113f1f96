"""Which ticks of the native expressions are ticks of the schedule, and why the others are not."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.calendars import Excluded
from timewright.timetable.openings import Openings
from timewright.timetable.schedule import second_of

if TYPE_CHECKING:
    from timewright.timetable.schedule import Schedule


class Reason(StrEnum):
    """Why an instant is no tick."""

    OUTSIDE_PERIOD = "OutsidePeriod"
    """It is before ``startAt`` or after ``endAt``."""
    CALENDAR = "Calendar"
    OUTSIDE_WINDOW = "OutsideWindow"
    NOT_DUE = "NotDue"
    """The expressions do not name it: the native ones had to say more than was meant."""


class Refusal(NamedTuple):
    """Why an instant is not admitted, for a record and for a person."""

    reason: Reason
    message: str


class Gate(NamedTuple):
    """Admits the ticks of a schedule out of those of its native expressions."""

    schedule: Schedule

    def admits(self, instant: datetime) -> bool:
        """Tell whether an instant is a tick of the schedule."""
        return self.schedule.includes(instant)

    def refusal(self, instant: datetime) -> Refusal | None:
        """Return why an instant is not admitted, or ``None`` when it is."""
        if self.admits(instant):
            return None
        second = second_of(instant)
        limits, zone = self.schedule.limits, self.schedule.zone
        if limits.start is not None and second < limits.start:
            return Refusal(Reason.OUTSIDE_PERIOD, f"before startAt, {_moment(limits.start)}")
        if limits.end is not None and second > limits.end:
            return Refusal(Reason.OUTSIDE_PERIOD, f"after endAt, {_moment(limits.end)}")
        if not any(source.ticks.first_from(second) == second for source in self.schedule.sources):
            return Refusal(Reason.NOT_DUE, f"not named by {' or '.join(self.schedule.expressions)}")
        closed = [calendar for calendar in limits.calendars if not Openings((), (calendar,), zone).includes(second)]
        if closed:
            moved = "" if limits.excluded in (None, Excluded.SKIP) else f", moved to {limits.excluded}"
            return Refusal(Reason.CALENDAR, f"closed by {closed[0].name}{moved}")
        return Refusal(Reason.OUTSIDE_WINDOW, "outside of all windows")


def _moment(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"
