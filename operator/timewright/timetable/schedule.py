"""A parsed schedule: aware datetimes in, UTC datetimes out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from timewright.timetable.errors import ScheduleError
from timewright.timetable.zones import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timewright.timetable.ticks import Ticks


class Schedule:
    """When something is due. Made by :func:`timewright.timetable.parse`; immutable and free of any clock.

    Instants given may be in any time zone but must be aware; instants returned are in UTC and on whole seconds.
    """

    __slots__ = ("_ticks", "expressions", "time_zone")

    def __init__(self, expressions: tuple[str, ...], time_zone: str, ticks: Ticks) -> None:
        self.expressions = expressions
        self.time_zone = time_zone
        self._ticks = ticks

    def __repr__(self) -> str:
        return f"<Schedule {' | '.join(self.expressions)!r} in {self.time_zone}>"

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first tick strictly after an instant.

        Where a change of the clock throws the native controller off, which tick comes next depends on where it asks
        from. It asks from the last tick (``status.lastScheduleTime``), and so should whoever wants its answer.

        Returns:
            ``None`` when no tick is left: past ``endAt`` or the last year named, or, for native expressions, when
            there is none within five calendar years, where the native controller gives up too.

        Raises:
            ScheduleError: when the instant has no time zone.

        """
        tick = self._ticks.first_from(_floor(instant) + 1)
        return None if tick is None else _instant(tick)

    def previous_before(self, instant: datetime) -> datetime | None:
        """Return the last tick strictly before an instant, or ``None`` when there is none.

        Raises:
            ScheduleError: when the instant has no time zone.

        """
        second = _floor(instant)
        tick = self._ticks.last_until(second if instant.microsecond else second - 1)
        return None if tick is None else _instant(tick)

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the ticks after ``start`` up to and including ``end``, as repeated :meth:`next_after` finds them.

        Consecutive intervals therefore share no tick and miss none.

        Raises:
            ScheduleError: when an instant has no time zone.

        """
        last = _floor(end)
        tick = self._ticks.first_from(_floor(start) + 1)
        while tick is not None and tick <= last:
            yield _instant(tick)
            tick = self._ticks.first_from(tick + 1)

    def count(self, start: datetime, end: datetime) -> int:
        """Return how many ticks :meth:`between` would yield, without walking from tick to tick.

        Raises:
            ScheduleError: when an instant has no time zone.

        """
        return self._ticks.count(_floor(start) + 1, _floor(end) + 1)


def _floor(instant: datetime) -> int:
    try:
        since = instant - EPOCH
    except TypeError as error:
        raise ScheduleError(
            f"the instant {instant} has no time zone",
            remedy="pass an aware datetime, such as datetime.now(timezone.utc)",
            field="instant",
            value=str(instant),
        ) from error
    return since.days * 86_400 + since.seconds


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
