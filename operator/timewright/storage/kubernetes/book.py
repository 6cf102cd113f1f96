"""What the leader remembers of one task, and which of it the Lease has to tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from timewright.decisions.task_state import OpenPhase, OpenRun, TaskState
from timewright.resources.vocabulary import Outcome, Trigger
from timewright.storage.kubernetes.journal import Account, Since
from timewright.storage.kubernetes.takeover import NOT_ACCEPTED, Told
from timewright.storage.protocol import Retention
from timewright.storage.records import Change, RunRecord, StoredTask


@dataclass(frozen=True, slots=True)
class Written:
    """What the status of a task tells, as far as a new leader goes by it."""

    watermark: int | None
    revision: int | None
    schedule_id: str | None
    suspended: bool

    @property
    def is_held(self) -> bool:
        """Whether a new leader takes what comes after the watermark for undecided."""
        return self.suspended or self.schedule_id == NOT_ACCEPTED

    @property
    def is_handed_over(self) -> bool:
        """Whether it is still that of who decided the task before, so that the Lease has to tell who has begun."""
        return self.watermark is not None and self.schedule_id is None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is to be written of a task: the numbers, and the runs that have ended since the last time."""

    written: Written
    counters: Mapping[Outcome, int]
    since: Since
    """What that tells beyond the last time, of ticks alone."""
    claimed: tuple[int, ...]
    queued: tuple[int, ...]
    records: tuple[RunRecord, ...]
    """The oldest first, no more than the task keeps."""
    stored: StoredTask
    is_repeated: bool = False
    """Whether this is what was to be written before, so that there may be more to tell by now."""


class Book:
    """One task in the memory of the leader. Instants are UTC seconds."""

    __slots__ = (
        "_later_trouble",
        "_of_others",
        "_on_its_way",
        "_step",
        "begins_at",
        "by_hand",
        "counters",
        "counts",
        "follows_rule",
        "is_held",
        "key",
        "last_finished_at",
        "last_outcome",
        "last_success_at",
        "open",
        "others",
        "rests_from",
        "run_id_of",
        "state",
        "succeeded",
        "trouble",
        "version",
        "written",
    )

    def __init__(
        self,
        told: Told,
        stored: StoredTask,
        counters: dict[Outcome, int],
        run_id_of: Callable[[int], str],
        retention: Retention,
        step: int = 1,
    ) -> None:
        """Begin with what the status tells; `stored` is where the task goes on from.

        Revisions grow by `step`. Leaders that follow one another have different ones, so that of a revision it is
        known whose status it is.
        """
        self._step = step
        self.key = stored.key
        self.is_held: bool
        """Whether a new leader takes what comes after the status for undecided, as far as anybody can tell now."""
        self.follows_rule: bool
        """Whether it takes what the watermark passes for claimed: nobody holds it, or has handed it over."""
        self.begins_at = told.begins_at
        self.written = Written(told.watermark, told.revision, told.schedule_id, told.suspended)
        self.counters = counters
        self.counts: dict[Outcome, int] = {}
        """Of ticks alone, since the status was written: runs by hand have TaskRuns of their own to tell of them."""
        self.trouble: int | None = None
        """The first tick since then that the rule of the Lease gets wrong."""
        self.rests_from: int | None = None
        """The instant after which nobody decides on its ticks, although it is not suspended.

        Until that ends, status and Lease tell the same of it as of a task that is.
        """
        self._later_trouble: int | None = None
        self._on_its_way: Snapshot | None = None
        self._of_others: Written | None = None
        """What the status tells, where a leader that was deposed has written it since."""
        self._judge_what_is_told()
        self.version, self.state = stored.version, stored.state
        self.last_success_at = stored.last_success_at
        self.last_outcome, self.last_finished_at = stored.last_outcome, stored.last_finished_at
        self.open: dict[str, RunRecord] = {}
        self.run_id_of = run_id_of
        self.succeeded: deque[RunRecord] = deque()
        self.others: deque[RunRecord] = deque()
        self.by_hand: list[RunRecord] = []
        """Those that people asked for: each has a TaskRun already, in which somebody waits for its end."""
        self.retain(retention)

    @property
    def stored(self) -> StoredTask:
        """What a store tells of a task."""
        return StoredTask(
            self.key,
            self.version,
            self.state,
            None,
            self.counters,
            self.last_success_at,
            self.last_outcome,
            self.last_finished_at,
        )

    def retain(self, retention: Retention) -> None:
        """Keep that many ended runs until they are written, the latest of each kind."""
        self.succeeded = deque(self.succeeded, maxlen=retention.succeeded_runs)
        self.others = deque(self.others, maxlen=retention.other_runs)

    def note_trouble(self, tick: int) -> None:
        """Remember that the rule is wrong from a tick on."""
        self.trouble = tick if self.trouble is None else min(tick, self.trouble)
        self._later_trouble = tick if self._later_trouble is None else min(tick, self._later_trouble)

    def rest(self, until: int) -> None:
        """Note that nobody decides on its ticks after an instant, until a change is made."""
        if self.rests_from is None:
            self.rests_from = until
            self.note_trouble(until + 1)

    def apply(self, change: Change) -> None:
        """Make a change that was decided on the present version."""
        before = self.state
        if self.rests_from is not None and (change.watermark or 0) > self.rests_from:
            self.note_trouble(self.rests_from + 1)
            self.rests_from = None
        runs = change.runs
        if before.schedule_id != change.schedule_id or before.suspended != change.suspended:
            self.note_trouble((self.begins_at if before.watermark is None else before.watermark) + 1)
        is_told_of = self.is_held and before.suspended and change.suspended
        if len(runs) == 1 and not before.open_runs and runs[0].phase is OpenPhase.CLAIMED:
            open_runs: tuple[OpenRun, ...] = (self._opened(runs[0]),)
        else:
            known = {run.run_id: run for run in before.open_runs}
            for run in runs:
                if run.outcome is None:
                    known[run.run_id] = self._opened(run)
                    continue
                opened = known.pop(run.run_id, None)
                self._end(run, is_told_of=is_told_of and opened is None)
            open_runs = tuple(known.values())
        for outcome, count in change.ended.items():
            self.counts[outcome] = self.counts.get(outcome, 0) + count
            self.counters[outcome] = self.counters.get(outcome, 0) + count
            if not is_told_of:
                self.note_trouble((self.begins_at if before.watermark is None else before.watermark) + 1)
        self.state = TaskState(change.watermark, change.schedule_id, change.suspended, open_runs)
        self.version += 1

    def finish(self, run: RunRecord) -> bool:
        """Take the outcome of an open run; tell whether it was open."""
        state = self.state.without(run.run_id)
        if state is self.state:
            return False
        known = self.open.pop(run.run_id, None)
        if known is not None and known is not run:
            run.parameters, run.idempotency_key = known.parameters, known.idempotency_key
        self._end(run, is_told_of=False)
        self.state = state
        return True

    def _judge_what_is_told(self) -> None:
        """Work out what is asked before every start, and changes with what the status may tell alone."""
        told = self.written, self._of_others, None if self._on_its_way is None else self._on_its_way.written
        self.is_held = any(each is not None and each.is_held for each in told)
        self.follows_rule = not (self.is_held or self.written.is_handed_over)

    @property
    def has_waiting(self) -> bool:
        """Whether ticks wait for room or for locks."""
        return any(run.phase is OpenPhase.QUEUED for run in self.state.open_runs)

    def first_to_tell(self) -> int | None:
        """Return the first start for which the rule of the Lease does not hold now, in the order of time."""
        first = self.trouble
        for run in self.open.values():
            start = run.scheduled_at + run.jitter
            if run.trigger is not Trigger.MANUAL and (first is None or start < first):
                first = start
        return first

    def account(self, decided_until: int) -> Account:
        """Return what the Lease has to tell. Up to `decided_until` no task has a tick that is not decided."""
        claimed, queued = self._open_ticks()
        state, on_its_way = self.state, self._on_its_way
        return Account(
            base=self.written.revision,
            until=self._until(decided_until),
            counts=dict(self.counts),
            claimed=claimed,
            queued=queued,
            schedule_id=state.schedule_id or NOT_ACCEPTED,
            suspended=self._is_held_now,
            on_its_way=None if on_its_way is None else on_its_way.written.revision,
        )

    def snapshot(self, decided_until: int, *, is_last: bool = False) -> Snapshot:
        """Return what to write now. Once it is written, `wrote` has to be told.

        Until then it stays the same, since it may have been written without an answer: of one revision there is one
        status. With `is_last` it tells all, since none follows it.
        """
        if self._on_its_way is not None and not is_last:
            ended = {id(run) for run in self.ended}
            left = tuple(run for run in self._on_its_way.records if id(run) in ended)
            return replace(self._on_its_way, records=left, is_repeated=True)
        claimed, queued = self._open_ticks()
        state = self.state
        self._later_trouble = None
        records = sorted(self.ended, key=lambda run: (run.scheduled_at, run.run_id))
        revision = (self.written.revision or 0) + self._step
        self._on_its_way = Snapshot(
            Written(self._until(decided_until), revision, state.schedule_id or NOT_ACCEPTED, self._is_held_now),
            dict(self.counters),
            Since(self.written.revision, {outcome: count for outcome, count in self.counts.items() if count}),
            claimed,
            queued,
            tuple(records),
            self.stored,
        )
        self._judge_what_is_told()
        return self._on_its_way

    def wrote(self, snapshot: Snapshot) -> None:
        """Note that the status tells all of a snapshot, and that its runs have TaskRuns."""
        self.written = snapshot.written
        for outcome, count in snapshot.since.counts.items():
            self.counts[outcome] -= count
        self.trouble = self._later_trouble
        self._on_its_way = self._of_others = None
        self._judge_what_is_told()

    def hear(self, written: Written) -> bool:
        """Take note of what the status tells; return whether somebody else has written it, so that it is out of date.

        A leader that was deposed may have sent it before. As long as it stands, a new leader goes by it.
        """
        on_its_way = None if self._on_its_way is None else self._on_its_way.written.revision
        if written.revision in (None, self.written.revision, on_its_way):
            return False
        self._of_others = written
        self._judge_what_is_told()
        return True

    def forget(self, records: tuple[RunRecord, ...]) -> None:
        """Let go of ended runs that have their TaskRuns."""
        gone = {run.run_id for run in records}
        self.by_hand = [run for run in self.by_hand if run.run_id not in gone]
        for kept in (self.succeeded, self.others):
            left = [run for run in kept if run.run_id not in gone]
            kept.clear()
            kept.extend(left)

    @property
    def ended(self) -> tuple[RunRecord, ...]:
        """The runs that have ended and are not written yet, of those of ticks no more than the task keeps."""
        return *self.succeeded, *self.others, *self.by_hand

    def _open_ticks(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        ticks = [run for run in self.state.open_runs if run.trigger is not Trigger.MANUAL]
        claimed = tuple(sorted(run.scheduled_at for run in ticks if run.phase is not OpenPhase.QUEUED))
        return claimed, tuple(sorted(run.scheduled_at for run in ticks if run.phase is OpenPhase.QUEUED))

    def _until(self, decided_until: int) -> int:
        state = self.state
        decided = self.begins_at if state.watermark is None else state.watermark
        if self.rests_from is not None and not state.suspended and state.schedule_id:
            return max(decided, min(self.rests_from, decided_until))
        return decided if state.suspended or not state.schedule_id else max(decided, decided_until)

    @property
    def _is_held_now(self) -> bool:
        return self.state.suspended or self.rests_from is not None

    def _opened(self, run: RunRecord) -> OpenRun:
        known = self.open.get(run.run_id)
        if known is None:
            self.open[run.run_id] = run
        else:
            known.phase, known.host = run.phase, run.host
        return OpenRun(run.run_id, run.scheduled_at, run.trigger, run.phase or OpenPhase.CLAIMED)

    def _end(self, run: RunRecord, *, is_told_of: bool) -> None:
        outcome = run.outcome
        if outcome is None:
            return
        self.open.pop(run.run_id, None)
        self.counters[outcome] = self.counters.get(outcome, 0) + 1
        if run.trigger is not Trigger.MANUAL:
            self.counts[outcome] = self.counts.get(outcome, 0) + 1
            if outcome is not Outcome.SUCCEEDED and not is_told_of:
                self.note_trouble(run.scheduled_at + run.jitter)
            (self.succeeded if outcome is Outcome.SUCCEEDED else self.others).append(run)
        else:
            self.by_hand.append(run)
        if run.finished_at is not None:
            self._note_end(run, outcome)

    def _note_end(self, run: RunRecord, outcome: Outcome) -> None:
        finished_at = int(run.finished_at or 0)
        if outcome is Outcome.SUCCEEDED:
            self.last_success_at = max(finished_at, self.last_success_at or 0)
        if finished_at >= (self.last_finished_at or 0):
            self.last_outcome, self.last_finished_at = outcome, finished_at
