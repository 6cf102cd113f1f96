"""A schedule explained: in a sentence, by its next ticks and what is special about each, and by warnings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from timewright.timetable.calendars import Excluded
from timewright.timetable.cautions import cautions
from timewright.timetable.changes import affected_times, changes_between
from timewright.timetable.daylight import Gap, Overlap
from timewright.timetable.moving import Moved
from timewright.timetable.native_ticks import NativeTicks
from timewright.timetable.schedule import second_of
from timewright.timetable.wallclock import DAY, date_of_day
from timewright.timetable.wording import clock, listed, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timewright.timetable.changes import Change
    from timewright.timetable.schedule import Schedule
    from timewright.timetable.source import Source

_A_WHILE = 40 * DAY


class ExplainedTick(NamedTuple):
    """A tick in UTC and on the clocks of the schedule's zone, with what is special about it."""

    utc: datetime
    local: datetime
    notes: tuple[str, ...]


class Explanation(NamedTuple):
    """All there is to say about a schedule from some instant on."""

    sentence: str
    ticks: tuple[ExplainedTick, ...]
    warnings: tuple[str, ...]


def explain(schedule: Schedule, start: datetime, count: int) -> Explanation:
    """Explain a schedule by its next ``count`` ticks after ``start``.

    Raises:
        ScheduleError: when ``start`` has no time zone.

    """
    begin = second_of(start)
    ticks: list[ExplainedTick] = []
    earlier = begin
    while len(ticks) < count and (tick := schedule.ticks.first_from(earlier + 1)) is not None:
        ticks.append(_explained(schedule, earlier, tick))
        earlier = tick
    warnings = cautions(schedule, begin)
    if len(ticks) < count:
        warnings.append(f"ends after {ticks[-1].local.isoformat()}" if ticks else "has no tick left")
    return Explanation(sentence(schedule), tuple(ticks), tuple(warnings))


def _explained(schedule: Schedule, earlier: int, tick: int) -> ExplainedTick:
    offset = schedule.zone.offset(tick)
    utc = datetime.fromtimestamp(tick, UTC)
    local = utc.astimezone(timezone(timedelta(seconds=offset)))
    return ExplainedTick(utc, local, tuple(dict.fromkeys(_notes(schedule, earlier, tick))))


def _notes(schedule: Schedule, earlier: int, tick: int) -> Iterator[str]:
    since = max(earlier, tick - _A_WHILE)
    for change in changes_between(schedule.zone, since - DAY, tick + DAY):
        for source in schedule.sources:
            yield from _around(schedule, source, change, since, tick)
    for source in schedule.sources:
        if isinstance(source.ticks, NativeTicks):
            yield from _passed_over(schedule, source.ticks, since, tick)
    yield from _moved(schedule, tick)


def _around(schedule: Schedule, source: Source, change: Change, earlier: int, tick: int) -> Iterator[str]:
    times = affected_times(source, change)
    if times and change.after > change.before:
        yield from _around_gap(schedule, source, change, earlier, tick)
    elif times:
        yield from _around_overlap(source, change, tick)


def _around_gap(schedule: Schedule, source: Source, change: Change, earlier: int, tick: int) -> Iterator[str]:
    times = affected_times(source, change)
    missing = f"{listed([clock(time % DAY // 60) for time in times])} does not exist"
    day = times[0] // DAY
    ticks_that_day = schedule.ticks.count(day * DAY - change.before, (day + 1) * DAY - change.after)
    comes_next = earlier < change.instant <= tick
    if source.policy is not None and source.policy.gap is Gap.RUN_AFTER:
        if tick == change.instant:
            yield f"runs right after the gap: {missing} that day"
    elif (tick + schedule.zone.offset(tick)) // DAY == day:
        if ticks_that_day == 1:
            yield f"runs once: {missing} that day"
        elif comes_next:
            yield f"{missing} that day, so it is skipped"
    elif comes_next and not ticks_that_day:
        yield f"{missing} on {date_of_day(day)}, so it is skipped"


def _around_overlap(source: Source, change: Change, tick: int) -> Iterator[str]:
    wall = tick + (change.before if tick < change.instant else change.after)
    if not change.low <= wall < change.high or source.wallclock is None or source.wallclock.next(wall) != wall:
        return
    which = "first" if tick < change.instant else "second"
    twice = f"{clock(wall % DAY // 60)} happens twice that day"
    if source.policy is None or source.policy.overlap is Overlap.BOTH:
        yield f"{which} of two: {twice}"
    else:
        yield f"runs once, the {which} time: {twice}"


def _passed_over(schedule: Schedule, ticks: NativeTicks, earlier: int, tick: int) -> Iterator[str]:
    expected = ticks.calendar.first_from(earlier + 1)
    if expected is not None and expected < tick and ticks.first_from(earlier + 1) != expected:
        on = datetime.fromtimestamp(expected + schedule.zone.offset(expected), UTC)
        yield f"Kubernetes passes over {on:%Y-%m-%d %H:%M} before it, thrown off by a change of the clock"


def _moved(schedule: Schedule, tick: int) -> Iterator[str]:
    limits = schedule.limits
    if not limits.calendars or limits.excluded in (None, Excluded.SKIP):
        return
    own = any(source.ticks.first_from(tick) == tick for source in schedule.sources)
    origins = Moved(schedule.sources[0].ticks, limits.calendars, schedule.zone, limits.excluded).moved_from(tick)
    if origins and not own:
        yield f"moved from {listed([date_of_day(day).isoformat() for day in origins], 'or')}, which is closed"
