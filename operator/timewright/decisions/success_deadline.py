"""By when should a task have succeeded again, if all is well?"""

from __future__ import annotations

from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.timetable.ticks import Ticks

LONGEST_SECONDS = 3600
"""How long a run may take that has no time-out, where its interval is longer than that."""

LEAST_SECONDS = 60
"""The least time that a run has, whatever else is said: a figure that is scraped cannot tell less."""


def success_deadline(spec: ScheduledTaskSpec, ticks: Ticks, since: int) -> int | None:
    """Return the instant by which the run of the first tick after `since` has succeeded; None without such a tick.

    `since` is the last success or the last edit of the task, whichever came later. A run has its time-out, or else its
    interval but no more than an hour; attempts and the waits between them come on top. Instants are UTC seconds.
    """
    due = ticks.first_from(since + 1)
    if due is None or spec.suspend:
        return None
    seconds = spec.timeout_seconds
    if seconds is None:
        following = ticks.first_from(due + 1)
        seconds = LONGEST_SECONDS if following is None else min(LONGEST_SECONDS, following - due)
    return due + max(LEAST_SECONDS, _with_attempts(spec, seconds))


def _with_attempts(spec: ScheduledTaskSpec, seconds: int) -> int:
    retry = spec.retry
    if retry is None:
        return seconds
    most = retry.max_backoff_seconds or max(600, retry.backoff_seconds)
    waits = sum(min(most, retry.backoff_seconds << min(number, 20)) for number in range(retry.limit))
    return seconds * (retry.limit + 1) + waits
