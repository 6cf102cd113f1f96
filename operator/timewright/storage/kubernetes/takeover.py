"""What does a new leader make of a task, given the last one's Lease, the task's status and its TaskRuns? Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.resources.vocabulary import Outcome
from timewright.storage.kubernetes.journal import Account, Journal, Since
from timewright.timetable.jitter import start_of, tick_of
from timewright.timetable.ticks import Ticks

MOST_UNPROVEN = 100
"""How many unproven ticks of a task are told one by one, the latest ones; the rest is counted as Lost."""

NOT_ACCEPTED = ""
"""The schedule id of a task that is not decided, since what it says is refused."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A schedule with its identity, see `decisions.rules.Rules.schedule_id`."""

    schedule_id: str
    ticks: Ticks
    """The starts, where these are put off: watermarks are in the order of these."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the status of a task tells."""

    created_at: int
    """When the task was made, which is where its ticks begin if its status tells nothing."""
    watermark: int | None = None
    revision: int | None = None
    """The number of its version, as far as a daemon has written it."""
    schedule_id: str | None = None
    """The schedule of the watermark; None where not a daemon has written it but who decided the task before."""
    timing: Timing | None = None
    """That schedule itself, where the status tells it."""
    suspended: bool = False
    claimed: tuple[int, ...] = ()
    queued: tuple[int, ...] = ()
    since: Since | None = None
    """What it tells beyond the version before; None where it does not say so."""

    @property
    def is_handed_over(self) -> bool:
        """Whether the watermark is that of who decided the task before a daemon did."""
        return self.watermark is not None and self.schedule_id is None

    def ticks_of(self, schedule_id: str, present: Timing | None) -> Ticks | None:
        """Return the ticks of a schedule, as far as it is the present one or the one that the status tells."""
        timings = (present, self.timing)
        return next((each.ticks for each in timings if each is not None and each.schedule_id == schedule_id), None)

    @property
    def begins_at(self) -> int:
        """The instant up to which no tick is to be decided any more."""
        return self.created_at if self.watermark is None else self.watermark


@dataclass(frozen=True, slots=True)
class Taken:
    """What the new leader goes on from."""

    state: TaskState
    counts: Mapping[Outcome, int] = field(default_factory=dict)
    """To be added to the counters of the status."""
    told_by_rule: bool = True
    """Whether the next leader would come to the same without an account."""


def take_up(told: Told, present: Timing | None, run_id_of: Callable[[int], str]) -> TaskState:
    """Return where to go on with a task that has come to a leader while it leads."""
    open_runs = [OpenRun(run_id_of(tick), tick, phase=OpenPhase.CLAIMED, proven=False) for tick in told.claimed]
    open_runs += [OpenRun(run_id_of(tick), tick, phase=OpenPhase.QUEUED) for tick in told.queued]
    return TaskState(told.begins_at, _schedule_id(told, present), told.suspended, tuple(open_runs))


def take_over(
    told: Told,
    journal: Journal,
    account: Account | None,
    present: Timing | None,
    recorded: Mapping[int, Outcome],
    run_id_of: Callable[[int], str],
) -> Taken:
    """Return where to go on with a task that another leader had.

    Args:
        told: what its status tells.
        journal: what the Lease told when it changed hands.
        account: the task's own account in it, if there is one.
        present: its schedule as it is now; None when that is refused.
        recorded: outcomes of ticks that a TaskRun tells.
        run_id_of: names the run of a tick.

    """
    if journal.watermark is None:
        return Taken(take_up(told, present, run_id_of))
    sorting = _Sorting(told, journal, account, present)
    if sorting.is_held:
        sorting.take_recorded(recorded)
    elif not sorting.was_never_begun:
        sorting.apply_rule()
        sorting.find_unproven()
    unproven = []
    for tick in sorted(sorting.claimed):
        outcome = recorded.get(tick)
        if outcome is None:
            unproven.append(tick)
        else:
            sorting.count(outcome)
            sorting.told_by_rule &= outcome is Outcome.SUCCEEDED
    return sorting.taken(unproven, run_id_of)


class _Sorting:
    """Sorts the ticks of one task by what is known of them."""

    def __init__(self, told: Told, journal: Journal, account: Account | None, present: Timing | None) -> None:
        self.counts: dict[Outcome, int] = {}
        self.told_by_rule = True
        self.until = told.begins_at
        self.schedule_id = _schedule_id(told, present)
        self.is_held = told.suspended or self.schedule_id == NOT_ACCEPTED
        self.claimed: set[int] = set()
        self._queued: set[int] = set()
        self._proven = journal.watermark if journal.proven is None else journal.proven
        self._watermark = journal.watermark or 0
        self._present, self._told = present, told
        counts = None if account is None else journal.beyond(account, told.revision, told.since)
        if account is not None and counts is not None:
            self.told_by_rule = False
            self.counts.update(counts)
            self.until = account.until
            self.schedule_id, self.is_held = account.schedule_id, account.suspended
            self.claimed, self._queued = set(account.claimed), set(account.queued)
            return
        if account is not None and told.revision is not None and account.until > told.begins_at:
            # A leader that was deposed has written that status since: nobody can tell what the account adds to it.
            self._proven = min(self._proven or 0, told.begins_at)
        self._queued = {tick for tick in told.queued if self._waits_still(tick, account)}
        for tick in {*told.claimed, *told.queued} - self._queued:
            # Of a tick that the status lists and the Lease, which was written later, does not, nothing remains to tell.
            if account is None and self._proven is not None and self._start_of(tick) <= self._proven:
                self.count(Outcome.SUCCEEDED)
            else:
                self.claimed.add(tick)

    def count(self, outcome: Outcome, number: int = 1) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def apply_rule(self) -> None:
        """Count what has succeeded since, by arithmetic."""
        ticks = self._ticks()
        if self._proven is None or self._proven <= self.until or self._is_handed_over:
            return
        if ticks is not None:
            self.count(Outcome.SUCCEEDED, ticks.count(self.until + 1, self._proven + 1))
        self.until = self._proven

    def find_unproven(self) -> None:
        """Take what follows the proven ticks for claimed: of very many the latest, the rest is counted as Lost."""
        ticks = self._ticks()
        if ticks is not None and self._watermark > self.until:
            last, places = ticks.last_until(self._watermark), MOST_UNPROVEN
            while last is not None and last > self.until and places:
                self.claimed.add(tick_of(ticks, last))
                last, places = ticks.last_until(last - 1), places - 1
            if last is not None and last > self.until:
                self.told_by_rule = False
                self.count(Outcome.LOST, ticks.count(self.until + 1, last + 1))
        self.until = max(self.until, self._watermark)

    def take_recorded(self, recorded: Mapping[int, Outcome]) -> None:
        """Go by TaskRuns where what follows is held: of what ended without a start the Lease tells nothing then."""
        others = recorded.keys() - self.claimed - self._queued
        later = sorted(tick for tick in others if self._start_of(tick) > self.until)
        if not later:
            return
        ticks, last = self._ticks(), self._start_of(later[-1])
        for tick in later:
            self.count(recorded[tick])
        if ticks is not None:  # of many, the oldest have no TaskRun any more
            self.count(Outcome.SKIPPED, max(0, ticks.count(self.until + 1, last + 1) - len(later)))
        self.until, self.told_by_rule = last, False

    def taken(self, unproven: list[int], run_id_of: Callable[[int], str]) -> Taken:
        open_runs = [OpenRun(run_id_of(tick), tick, phase=OpenPhase.CLAIMED, proven=False) for tick in unproven]
        open_runs += [OpenRun(run_id_of(tick), tick, phase=OpenPhase.QUEUED) for tick in sorted(self._queued)]
        suspended = self.is_held and self.schedule_id != NOT_ACCEPTED
        state = TaskState(self.until, self.schedule_id, suspended, tuple(open_runs))
        return Taken(state, {outcome: count for outcome, count in self.counts.items() if count}, self.told_by_rule)

    @property
    def was_never_begun(self) -> bool:
        """Whether the task was handed over and no leader has begun with it: one that has tells so by an account."""
        return self._is_handed_over and self._proven is not None and self._proven > self.until

    @property
    def _is_handed_over(self) -> bool:
        return self._told.is_handed_over and self.told_by_rule

    def _waits_still(self, tick: int, account: Account | None) -> bool:
        """Tell whether a tick that waited when the status was written has not been started since.

        To start it the Lease would have been written, and would tell of it by an account, or not at all.
        """
        if account is None:
            return self._start_of(tick) > self._watermark
        return tick in account.queued or self._start_of(tick) > account.until

    def _start_of(self, tick: int) -> int:
        ticks = self._ticks()
        return tick if ticks is None else start_of(ticks, tick)

    def _ticks(self) -> Ticks | None:
        return self._told.ticks_of(self.schedule_id, self._present)


def _schedule_id(told: Told, present: Timing | None) -> str:
    """Return the schedule of the watermark; one that nobody has written belongs to the present one."""
    if told.schedule_id is not None:
        return told.schedule_id
    return NOT_ACCEPTED if present is None else present.schedule_id
