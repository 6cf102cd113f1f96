"""All that can be said of a task besides its work, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from timewright.decisions.policies import Policies
from timewright.resources.vocabulary import ConcurrencyPolicy, MissedRunsPolicy, OnLost

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from timewright.schedule.calendars import DeclaredCalendar
    from timewright.schedule.parameters import DeclaredParameter
    from timewright.timetable.calendars import Excluded
    from timewright.timetable.daylight import DaylightSaving
    from timewright.timetable.windows import Window


class Settings:
    """The settings of a task, or those that a template gives to tasks.

    The defaults belong to the class and an instance holds what differs, so that copying one costs next to nothing.
    Every value is immutable: copies share them.
    """

    name: str | None = None
    description: str = ""

    # When. Either whole expressions, or the fields of one.
    expressions: tuple[str, ...] = ()
    second: str = "0"
    minute: str = "*"
    hour: str = "*"
    day_of_month: str = "*"
    month: str = "*"
    day_of_week: str = "*"
    """What the frequency says of the day of the week; `days` overrides it."""
    days: int | None = None
    """The weekdays that the task is limited to, as bits; bit 0 is Sunday."""
    days_by: str | None = None
    """The method that limited them, unless a template did."""
    by_hand: bool = False
    time_zone: str | None = None
    windows: tuple[Window, ...] = ()
    calendars: tuple[DeclaredCalendar, ...] = ()
    when_closed: Excluded | None = None
    start_at: date | datetime | None = None
    end_at: date | datetime | None = None
    daylight_saving: DaylightSaving | None = None

    # Whether.
    conditions: tuple[tuple[str, Callable[[], Any]], ...] = ()
    environments: tuple[str, ...] | None = None
    even_in_maintenance_mode: bool = False
    even_when_paused: bool = False
    suspended: bool = False

    # How.
    concurrency: ConcurrencyPolicy = ConcurrencyPolicy.ALLOW
    max_concurrent: int | None = None
    max_queued: int = Policies().max_queued
    locks: tuple[str, ...] = ()
    skip_if_locked: bool = False
    jitter: int = 0
    one_server: bool | None = None
    """True on one of all machines, False on each, None on one where overlaps are excluded and on each otherwise."""
    in_background: bool = True
    retry: tuple[int, float, float, float] | None = None
    """Limit, backoff, max_backoff, jitter: see `decisions.policies.Retry`."""
    timeout: float | None = None
    memory_limit: int | None = None
    isolated: bool = False
    missed_runs: tuple[MissedRunsPolicy, int, int | None] | None = None
    """Policy, max_runs, max_age: see `decisions.policies.MissedRuns`."""
    starting_deadline: int | None = None
    on_resume: MissedRunsPolicy = MissedRunsPolicy.SKIP
    on_schedule_change: MissedRunsPolicy = MissedRunsPolicy.SKIP
    on_lost: OnLost = OnLost.RECORD
    history: tuple[int, int, int | None] | None = None
    """Succeeded runs, other runs, max_age: see `storage.protocol.Retention`."""
    parameters: tuple[DeclaredParameter, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    # What happens beside it.
    before: tuple[Callable[..., Any], ...] = ()
    after: tuple[Callable[..., Any], ...] = ()
    on_success: tuple[Callable[..., Any], ...] = ()
    on_failure: tuple[Callable[..., Any], ...] = ()
    ping_before: tuple[str, ...] = ()
    then_ping: tuple[str, ...] = ()
    ping_on_success: tuple[str, ...] = ()
    ping_on_failure: tuple[str, ...] = ()
    output_path: str | None = None
    output_appended: bool = False

    def copy(self) -> Settings:
        """Return settings of their own that are the same."""
        made = Settings()
        made.__dict__.update(self.__dict__)
        return made

    def inherited(self) -> Settings:
        """Return the settings that a task starts with which is declared under these."""
        made = self.copy()
        made.days_by = None
        return made
