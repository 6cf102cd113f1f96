"""Does a daemon keep up with what it has to start and to write?"""

from __future__ import annotations

from dataclasses import dataclass

LATE_SECONDS = 1.0
"""A start that much after its tick is late."""

LATE_SHARE = 0.01
"""The share of late starts up to which a daemon keeps up: each has a bad second now and then."""

BACKLOG_SECONDS = 60.0
"""How long something may wait to be written."""


@dataclass(frozen=True, slots=True)
class Load:
    """What was seen of a daemon in the last minute."""

    started: int
    """How many runs of ticks started."""
    late: int
    """How many of these started late."""
    waiting: int
    """Of how many tasks there is something to write."""
    waiting_seconds: float
    """For how long the first of them has been ready to be written."""
    jobs_waiting: int = 0
    """How many runs wait for the Job of another to end."""
    jobs_waiting_seconds: float = 0.0
    """For how long the first of them has waited."""
    held_by: str = ""
    """What has kept everything else from going on, if anything has."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Whether it lags, with a reason as one CamelCase word and a text."""

    lags: bool
    reason: str
    message: str


def lag_of(load: Load) -> Lag:
    """Tell whether a daemon lags, starts before writes: a record that comes late is the lesser evil."""
    if load.held_by:
        text = f"in the last minute {load.held_by} held up the event loop, and with it all other tasks"
        return Lag(True, "EventLoopHeld", f"{text}; let it await instead of blocking, or make it a plain function")
    if load.jobs_waiting_seconds > LATE_SECONDS:
        text = f"{load.jobs_waiting} runs wait for Jobs to end, the first for {load.jobs_waiting_seconds:.0f} s"
        return Lag(True, "JobsWait", f"{text}; raise maxConcurrentJobs, or spread the tasks")
    if load.late > LATE_SHARE * load.started:
        text = f"{load.late} of {load.started} runs in the last minute started more than {LATE_SECONDS:g} s late"
        return Lag(True, "StartsLate", f"{text}; give it more CPU, raise maxConcurrentRuns, or spread its tasks")
    if load.waiting_seconds > BACKLOG_SECONDS:
        text = f"news of {load.waiting} tasks wait to be written, the first for {load.waiting_seconds:.0f} s"
        return Lag(True, "WritesBehind", f"{text}; raise apiWritesPerMinute, or keep fewer runs. Counters stay exact")
    return Lag(False, "KeepsUp", "runs start on time, and their records are written")
