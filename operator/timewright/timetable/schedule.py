"""A parsed schedule: aware datetimes in, UTC datetimes out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from timewright.timetable.errors import ScheduleError
from timewright.timetable.source import Limits
from timewright.timetable.zones import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timewright.timetable.compiling import Compiled
    from timewright.timetable.explaining import Explanation
    from timewright.timetable.source import Source
    from timewright.timetable.ticks import Ticks
    from timewright.timetable.zones import Zone


class Schedule:
    """When something is due. Made by :func:`timewright.timetable.parse`; immutable and free of any clock.

    Instants given may be in any time zone but must be aware; instants returned are in UTC and on whole seconds.
    """

    __slots__ = ("__weakref__", "limits", "sources", "ticks", "zone")

    def __init__(self, sources: tuple[Source, ...], zone: Zone, ticks: Ticks, limits: Limits | None = None) -> None:
        self.sources = sources
        self.zone = zone
        self.ticks = ticks
        self.limits = limits or Limits()

    def __repr__(self) -> str:
        return f"<Schedule {' | '.join(self.expressions)!r} in {self.time_zone}>"

    @property
    def expressions(self) -> tuple[str, ...]:
        """The expressions as they were written."""
        return tuple(source.expression for source in self.sources)

    @property
    def time_zone(self) -> str:
        """The name of the zone in which the expressions are read."""
        return self.zone.name

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
        tick = self.ticks.first_from(second_of(instant) + 1)
        return None if tick is None else _instant(tick)

    def previous_before(self, instant: datetime) -> datetime | None:
        """Return the last tick strictly before an instant, or ``None`` when there is none.

        Raises:
            ScheduleError: when the instant has no time zone.

        """
        second = second_of(instant)
        tick = self.ticks.last_until(second if instant.microsecond else second - 1)
        return None if tick is None else _instant(tick)

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the ticks after ``start`` up to and including ``end``, as repeated :meth:`next_after` finds them.

        Consecutive intervals therefore share no tick and miss none.

        Raises:
            ScheduleError: when an instant has no time zone.

        """
        last = second_of(end)
        tick = self.ticks.first_from(second_of(start) + 1)
        while tick is not None and tick <= last:
            yield _instant(tick)
            tick = self.ticks.first_from(tick + 1)

    def includes(self, instant: datetime) -> bool:
        """Tell whether an instant is a tick.

        Raises:
            ScheduleError: when the instant has no time zone.

        """
        second = second_of(instant)
        return not instant.microsecond and self.ticks.first_from(second) == second

    def count(self, start: datetime, end: datetime) -> int:
        """Return how many ticks :meth:`between` would yield, without walking from tick to tick.

        Raises:
            ScheduleError: when an instant has no time zone.

        """
        return self.ticks.count(second_of(start) + 1, second_of(end) + 1)

    def explain(self, start: datetime, count: int = 10) -> Explanation:
        """Explain the schedule: what it says in English, the next ticks after ``start``, and what to beware of.

        Raises:
            ScheduleError: when the instant has no time zone.

        """
        # Explaining is for people; a scheduler that never does it need not load it.
        from timewright.timetable.explaining import explain

        return explain(self, start, count)

    def compile(self) -> Compiled:
        """Return native CronJob expressions that miss no tick, and a gate for what they say too much, if anything.

        Raises:
            ScheduleError: when the schedule has ticks that are not at full minutes, which a CronJob cannot have.

        """
        from timewright.timetable.compiling import compile_schedule

        return compile_schedule(self)


def second_of(instant: datetime) -> int:
    """Return the whole UTC seconds from 1970 to an instant, fractions cut off.

    Raises:
        ScheduleError: when the instant has no time zone.

    """
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
