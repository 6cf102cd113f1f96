"""Time zones as spans of constant offset, found through the standard library's ``zoneinfo``.

``zoneinfo`` tells the offset at an instant but not when it changes next. Knowing that, the arithmetic of schedules is
done on integers inside a span and never on local datetimes, whose addition and comparison ignore ``fold``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from timewright.timetable.errors import UnknownTimeZoneError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_HOUR = 3_600
_DAY = 86_400
_YEAR = 366 * _DAY
_MARGIN = 40 * _DAY
# Two days inside of what a datetime can hold, so that local times can be held too.
EARLIEST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _SECOND + 2 * _DAY
LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _SECOND - 2 * _DAY
# No zone of the tz database has had two changes within less than 3.9 days (Freetown in 1939; Gaza's 6.9 since).
_PROBE_STEP = 2 * _DAY
# What validateTimeZone of Kubernetes' batch/v1 admits for each part between slashes.
_NAME_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}\Z", re.ASCII)


class Spans(NamedTuple):
    """The part of a zone's history that has been looked at; it answers for ``[begin, end)`` (UTC seconds).

    Span ``i`` begins at ``starts[i]`` and has the offset ``offsets[i]`` (seconds east of UTC) until the next begins.
    ``irregular`` lists the starts of spans whose change is not of one full hour or touches midnight, and
    ``ragged_until`` ends the last span whose offset is no whole number of minutes (before 1972, everywhere): there
    robfig/cron departs from the calendar, see :mod:`timewright.timetable.robfig_walk`.
    """

    starts: tuple[int, ...]
    offsets: tuple[int, ...]
    irregular: tuple[int, ...]
    ragged_until: int
    begin: int
    end: int
    seen_until: int

    def within(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Return ``(begin, until, offset)`` for each span that touches ``[start, end)``, not cut to it."""
        first = max(0, bisect_right(self.starts, start) - 1)
        last = bisect_right(self.starts, end - 1)
        ends = (*self.starts[first + 1 : last], self.starts[last] if last < len(self.starts) else self.seen_until)
        return list(zip(self.starts[first:last], ends, self.offsets[first:last], strict=True))


_UNSEEN = Spans((LATEST,), (0,), (), EARLIEST, LATEST, EARLIEST, EARLIEST)


class Zone:
    """A time zone whose spans are worked out for the years that are asked for."""

    __slots__ = ("_info", "name", "spans")

    def __init__(self, name: str, info: ZoneInfo) -> None:
        self.name = name
        self._info = info
        fixed = info.utcoffset(None)
        self.spans = _UNSEEN if fixed is None else _described((EARLIEST,), (fixed // _SECOND,), LATEST)

    def offset(self, instant: int) -> int:
        """Return the seconds east of UTC at an instant (UTC seconds)."""
        spans = self.covering(instant)
        return spans.offsets[max(0, bisect_right(spans.starts, instant) - 1)]

    def covering(self, instant: int) -> Spans:
        """Return spans that reach over the instant, and beyond it where the calendar allows."""
        spans = self.spans
        if instant >= spans.end and spans.end < LATEST:
            self._extend_forward(min(LATEST, instant + 3 * _YEAR))
        elif instant < spans.begin and spans.begin > EARLIEST:
            self._extend_backward(max(EARLIEST, instant - 3 * _YEAR))
        return self.spans

    def _extend_forward(self, end: int) -> None:
        # The spans are replaced as a whole, so that other threads see either the old ones or the new ones.
        known = self.spans
        if known is _UNSEEN:
            start = max(EARLIEST, end - 5 * _YEAR)
            known = _described((start,), (self._offset_at(start),), start)
        starts, offsets = self._changes(known.seen_until, end, known.offsets[-1])
        self.spans = _described(known.starts + starts, known.offsets + offsets, end)

    def _extend_backward(self, start: int) -> None:
        known = self.spans
        before = self._offset_at(start)
        starts, offsets = self._changes(start, known.starts[0], before)
        if known.offsets[0] == (offsets[-1] if offsets else before):
            known = known._replace(starts=known.starts[1:], offsets=known.offsets[1:])
        offsets = (before, *offsets, *known.offsets)
        self.spans = _described((start, *starts, *known.starts), offsets, known.seen_until)

    def _changes(self, start: int, end: int, offset: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Find the changes in ``(start, end]``, the offset before them being known."""
        starts: list[int] = []
        offsets: list[int] = []
        earlier = start
        while earlier < end:
            later = min(end, earlier + _PROBE_STEP)
            changed = self._offset_at(later)
            if changed != offset:
                starts.append(self._change_between(earlier, later, offset))
                offsets.append(changed)
                offset = changed
            earlier = later
        return tuple(starts), tuple(offsets)

    def _change_between(self, before: int, after: int, offset: int) -> int:
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset_at(middle) == offset:
                before = middle
            else:
                after = middle
        return after

    def _offset_at(self, instant: int) -> int:
        offset = datetime.fromtimestamp(instant, self._info).utcoffset()
        return 0 if offset is None else offset // _SECOND


def _described(starts: tuple[int, ...], offsets: tuple[int, ...], end: int) -> Spans:
    changes = zip(starts[1:], offsets, offsets[1:], strict=False)
    irregular = tuple(start for start, before, after in changes if _is_irregular(start, before, after))
    ragged = [later for later, offset in zip((*starts[1:], end), offsets, strict=True) if offset % 60]
    # Whoever asks about an instant may look at the month before it as well, and at the change that follows.
    begin = starts[0] if starts[0] == EARLIEST else starts[0] + _MARGIN
    until = end if end == LATEST else end - _MARGIN
    return Spans(starts, offsets, irregular, ragged[-1] if ragged else EARLIEST, begin, until, end)


def _is_irregular(instant: int, before: int, after: int) -> bool:
    """Tell whether a change is anything but one from full hour to next full hour, of one day and after midnight."""
    old_day, old_time = divmod(instant + before, _DAY)
    new_day, new_time = divmod(instant + after, _DAY)
    one_hour = abs(after - before) == _HOUR and old_time % _HOUR == 0
    return not (one_hour and old_day == new_day and min(old_time, new_time) > 0)


@lru_cache(maxsize=1024)
def load_zone(name: str) -> Zone:
    """Return the zone that the API server would accept for ``spec.timeZone``.

    Follows ``validateTimeZone`` of Kubernetes' batch/v1 and Go's ``time.LoadLocation``: names are those of the tz
    database, "Local" is refused, and an empty name is not the same as none.

    Raises:
        UnknownTimeZoneError: for any other name.

    """
    if not name:
        raise _unknown(name, "timeZone must not be empty", "leave timeZone out for UTC")
    if name.lower() == "local":
        raise _unknown(name, 'timeZone "Local" depends on the machine', "name the zone, such as Europe/Berlin")
    for part in name.split("/"):
        if part in (".", "..") or part.startswith("-") or not _NAME_PART.match(part):
            raise _unknown(name)
    try:
        return Zone(name, ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _unknown(name) from error


def _unknown(name: str, problem: str = "", remedy: str = "") -> UnknownTimeZoneError:
    return UnknownTimeZoneError(
        problem or f'timeZone "{name}" is not in the tz database',
        remedy=remedy or "use an IANA name such as Europe/Berlin, America/New_York or UTC (case matters)",
        field="timeZone",
        value=name,
    )
