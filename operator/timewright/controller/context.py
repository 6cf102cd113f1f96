"""What every step of a reconciliation needs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from timewright.cluster.api import Api
from timewright.controller.configuration import Configuration
from timewright.controller.store import Store, TaskKey, TaskRecord
from timewright.decisions.acceptance import Accepted, Refused
from timewright.resources.scheduled_task import CronJobStatus, ScheduledTaskStatus

if TYPE_CHECKING:
    from timewright.controller.daemons import DaemonKey
    from timewright.controller.reclaim import LeaseSeen
    from timewright.notices.telling import Telling

STATUS_WAITS = timedelta(seconds=10)
"""How long a status may wait for schedules that are being applied."""

BURST = 16
"""A burst is this many tasks applied within BURST_SECONDS."""

BURST_SECONDS = timedelta(seconds=1)


def utc_now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Operator:
    """The long-lived parts of the operator."""

    api: Api
    store: Store
    configuration: Configuration
    clock: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that no change of the clock touches."""
    since: dict[tuple[str, str], float] = field(default_factory=dict)
    """By what is waited for, and the UID of the object that waits: since when, on the monotonic clock."""
    leases: dict[DaemonKey, LeaseSeen] = field(default_factory=dict)
    """The Leases of daemons that tasks wait for."""
    verified: dict[tuple[str, str, str], Verified] = field(default_factory=dict)
    """By plural, namespace and name of an object that is made of another: when it was found to be as it should."""
    refused: dict[str, Refusal] = field(default_factory=dict)
    """By the UID of a task: the manifest that the API server refused, so that it is not sent over and over."""
    applied: dict[str, Applied] = field(default_factory=dict)
    """By the UID of a task: what was applied and is not in the task's status yet."""
    telling: Telling | None = None
    """Tells those whom tasks name of what becomes of their runs."""
    told_long: set[tuple[str, int]] = field(default_factory=set)
    """UIDs of runs that go on, with the rules by which it was told that they take long."""
    expected: dict[str, Expected] = field(default_factory=dict)
    """By the UID of a task whose ticks its CronJob decides: what metrics tell of it."""
    recently: deque[datetime] = field(default_factory=lambda: deque(maxlen=BURST))
    """When CronJobs were last applied, the newest last."""

    def note_applied(self, uid: str, applied: Applied) -> None:
        """Remember what was applied for the task of that UID, until its status tells."""
        self.applied[uid] = applied
        self.recently.append(applied.at)

    def may_wait(self, applied: Applied) -> bool:
        """Tell whether a status had better wait for a few seconds: amid a burst, schedules come first."""
        now = self.clock()
        burst = len(self.recently) == BURST and now - self.recently[0] < BURST_SECONDS
        return burst and now - applied.at < STATUS_WAITS

    def waited(self, reason: str, uid: str) -> float:
        """Return for how many seconds an object has been waiting for something: 0 when this is asked first."""
        now = self.monotonic()
        return now - self.since.setdefault((reason, uid), now)

    def waits_no_more(self, reason: str, uid: str) -> None:
        """Forget that an object has been waiting for something."""
        self.since.pop((reason, uid), None)


class Expected(NamedTuple):
    """What is expected of a task, and what has become of that."""

    success_deadline: int | None
    """By when a run has succeeded if all is well, in UTC seconds."""
    failing_streak: int


@dataclass(frozen=True, slots=True)
class Verified:
    """An object that was found to be as it should."""

    digest: str
    generation: int
    at: float
    """When, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A CronJob that the API server refused."""

    digest: str
    message: str
    until: datetime
    """When it is worth another try: the API server may have learnt new fields."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A CronJob that was applied."""

    cron_job: CronJobStatus
    generation: int
    """The generation of the task that it was made from."""
    at: datetime


@dataclass(slots=True)
class Sync:
    """One reconciliation of one task."""

    operator: Operator
    key: TaskKey
    task: TaskRecord
    now: datetime
    verdict: Accepted | Refused
    status: ScheduledTaskStatus
    """The status as it will be written; steps replace it."""
    wake_after: float | None = None
    """Seconds after which the task wants to be looked at again, whatever happens."""

    def wake_in(self, seconds: float) -> None:
        """Ask to be looked at again after at most that many seconds."""
        self.wake_after = seconds if self.wake_after is None else min(self.wake_after, seconds)

    def wake_at(self, instant: datetime) -> None:
        """Ask to be looked at again at an instant."""
        self.wake_in(max(0.0, (instant - self.now).total_seconds()))
