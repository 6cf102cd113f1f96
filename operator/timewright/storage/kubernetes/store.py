"""The daemon's store: the memory of the process that leads, and the Lease that fences it."""

from __future__ import annotations

import asyncio
import copy
import itertools
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from timewright.decisions.task_state import OpenPhase
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.storage.admission import admit
from timewright.storage.kubernetes.book import Book, Snapshot
from timewright.storage.kubernetes.inherited import ended_lately
from timewright.storage.kubernetes.journal import (
    MOST_BYTES,
    Journal,
    encode,
    from_annotations,
    to_annotations,
)
from timewright.storage.kubernetes.lease import Lease
from timewright.storage.kubernetes.takeover import Timing, Told, take_over
from timewright.storage.protocol import HistoryQuery, Lock, OwnershipLost, Retention, StoreError
from timewright.storage.records import Change, Pause, RunRecord, StoredTask

_INHERITED = "the daemon that ran it was gone before it could tell more"


class LeaseStore:
    """Remembers everything in memory, and claims by one write of the Lease, however many ticks there are.

    Made for one process that holds the Lease: it is the one owner. What has happened is told to the cluster by
    somebody else, out of snapshots; until then the Lease tells what a new leader could not find out.
    """

    shared = True
    unprotected: str | None = None
    must_claim = True

    def __init__(self, lease: Lease) -> None:
        """Take a Lease that this process holds. Raises StoreError when what is written on it cannot be read."""
        self.name = f"Lease {lease.name}"
        self.lease_seconds = float(lease.seconds)
        self.decided_until: Callable[[], int | None] = lambda: None
        """Asked for an instant up to which no tick of any task is undecided; see `Loop.decided_until`."""
        self.on_change: Callable[[str], None] = lambda key: None
        """Called with the key of each task of which there is more to write."""
        self.on_unlisted: Callable[[Mapping[Outcome, int]], None] = lambda ended: None
        """Called with how many ticks have ended in each way without a record of their own."""
        self.on_end: Callable[[RunRecord], None] = lambda run: None
        """Called with each run that has its outcome, once that counts. Its task may be gone by then."""
        self.on_inherited: Callable[[RunRecord], None] | None = None
        """Called with runs of which the leader before may not have told anybody; None where nobody wants to know."""
        self.on_lost: Callable[[], None] = lambda: None
        """Called when another replica has the Lease."""
        self._lease = lease
        try:
            self._journal = from_annotations(lease.annotations)
        except ValueError as error:
            raise StoreError(
                f"Lease {lease.name} cannot be read: {error}; delete it, then ticks of the last seconds count as Lost"
            ) from error
        self._left = dict(self._journal.accounts)
        self._watermark = self._journal.watermark
        self._decided_until = self._journal.proven
        self._is_ready = False
        self._is_lost = False
        self._is_handed_over = False
        self._books: dict[str, Book] = {}
        self._must_tell: set[str] = set()
        """Keys of tasks that have started ticks of which a new leader would believe that nobody decided on them."""
        self._told_held: set[str] = set()
        """Keys of tasks of which the Lease tells that what follows is undecided."""
        self._telling_held: set[str] = {key for key, each in self._journal.accounts.items() if each.suspended}
        self._told_held |= self._telling_held
        self._writing = asyncio.Lock()
        self._locks: dict[tuple[str, str, str], Lock] = {}
        self._tokens = itertools.count(int(time.time() * 1000))

    # What the daemon does besides scheduling

    def assume_claimed(self, until: int) -> None:
        """Take everything up to an instant for claimed. For a Lease without a word, beside statuses that tell more."""
        if self._watermark is None:
            self._watermark = until
            self._journal = Journal(until, None, {})

    @property
    def has_claimed(self) -> bool:
        """Whether the Lease tells that anything was ever claimed."""
        return self._watermark is not None

    def adopt(
        self,
        key: str,
        told: Told,
        present: Timing | None,
        *,
        counters: Mapping[Outcome, int],
        run_id_of: Callable[[int], str],
        recorded: Mapping[int, Outcome] | None = None,
        last_success_at: int | None = None,
        retention: Retention | None = None,
    ) -> Book:
        """Take charge of a task, which the leader before may have had."""
        all_counters = dict(counters)
        stored = StoredTask(key, 1, last_success_at=last_success_at)
        account = self._left.pop(key, None)
        taken = take_over(told, self._journal, account, present, recorded or {}, run_id_of)
        if self.on_inherited is not None:
            for tick, outcome in ended_lately(told, self._journal, account, present, recorded or {}).items():
                reason = Reason.COMPLETED.value if outcome is Outcome.SUCCEEDED else ""
                ended = RunRecord(key, run_id_of(tick), tick, outcome=outcome, reason=reason, message=_INHERITED)
                self.on_inherited(ended)
        book = Book(told, stored._replace(state=taken.state), all_counters, run_id_of, retention or Retention())
        for outcome, count in taken.counts.items():
            book.counts[outcome] = count
            all_counters[outcome] = all_counters.get(outcome, 0) + count
        if not taken.told_by_rule:
            book.note_trouble(min((*told.claimed, *told.queued, told.begins_at + 1)))
            if book.written.is_held:
                self._must_tell.add(key)
        is_late = self._is_ready and self._decided_until is not None and told.begins_at < self._decided_until
        if is_late or told.is_handed_over:
            book.note_trouble(told.begins_at + 1)
        for run in book.state.open_runs:
            book.open[run.run_id] = RunRecord(key, run.run_id, run.scheduled_at, run.trigger, run.phase)
        self._books[key] = book
        return book

    def ready(self) -> None:
        """Begin to write the Lease as it follows from memory: every task that the leader before had is adopted."""
        self._is_ready = True

    def forget(self, key: str) -> None:
        """Let go of a task that is gone, or somebody else's."""
        self._books.pop(key, None)
        self._must_tell.discard(key)

    def book(self, key: str) -> Book | None:
        """Return what is remembered of a task."""
        return self._books.get(key)

    @property
    def books(self) -> Mapping[str, Book]:
        """Everything that is remembered, by key."""
        return self._books

    def snapshot(self, key: str) -> Snapshot | None:
        """Return what is to be written of a task now."""
        book = self._books.get(key)
        return None if book is None else book.snapshot(self._decided())

    def wrote(self, key: str, snapshot: Snapshot) -> None:
        """Note that the status of a task tells all of a snapshot."""
        book = self._books.get(key)
        if book is not None:
            book.wrote(snapshot)
            self._must_tell.discard(key)

    @property
    def draining_until(self) -> int:
        """Until when the leader before goes on with what it had started, in UTC seconds."""
        return self._journal.draining_until

    def keep_proven(self, key: str) -> None:
        """Take the open runs of a task for such as go on, somewhere."""
        book = self._books.get(key)
        if book is not None:
            state = book.state
            book.state = state._replace(open_runs=tuple(run._replace(proven=True) for run in state.open_runs))

    async def hand_over(self, draining_until: int = 0) -> None:
        """Give the Lease up with all that there is to tell; raises StoreError when that cannot be written.

        Runs that are open go on in this process until that instant, in UTC seconds; it has to tell of their ends by
        TaskRuns. From now on nothing is claimed any more.
        """
        async with self._writing:
            self._check()
            annotations = self._annotations({}, None, draining_until) if self._is_ready else None
            await self._lease.release(annotations)
            self._is_handed_over = True

    # The protocol

    async def open(self) -> None:
        """Do nothing: the Lease is there."""

    async def close(self) -> None:
        """Do nothing: `hand_over` gives the Lease up."""

    async def renew(self, owner: str) -> None:
        """Renew the Lease, and write how far everything is proven."""
        async with self._writing:
            if not self._is_handed_over:
                await self._write({}, None)

    async def retire(self, owner: str) -> None:
        """Do nothing: `hand_over` gives the Lease up."""

    async def load(self, tasks: Collection[str]) -> Mapping[str, StoredTask]:
        """Return what is remembered of these tasks."""
        books = self._books
        return {key: books[key].stored if key in books else StoredTask(key) for key in tasks}

    async def commit(self, owner: str, changes: Sequence[Change]) -> Sequence[bool]:
        """Make changes. What they claim is on the Lease before it is in memory, all of it by one write."""
        async with self._writing:
            self._check()
            if self._is_handed_over:
                return [False] * len(changes)
            versions = {each.task: self._books[each.task].version for each in changes if each.task in self._books}
            made = admit(changes, versions)
            accepted = [change for change, is_made in zip(changes, made, strict=True) if is_made]
            claimed, trials = self._claims(accepted)
            if unfit := self._without_room(trials):
                if len(unfit) == len(accepted):
                    text = f"{len(unfit)} tasks that were resumed wait for the statuses of others to be written"
                    raise StoreError(f"{self.name}: {text}")
                made = [is_made and change.task not in unfit for change, is_made in zip(changes, made, strict=True)]
                accepted = [change for change in accepted if change.task not in unfit]
                claimed, trials = self._claims(accepted)
            if claimed is not None and (self._watermark is None or claimed > self._watermark or trials):
                await self._write(trials, claimed)
            for change in accepted:
                book = self._books.get(change.task)
                if book is not None:
                    book.apply(change)
                    for run in change.runs:
                        if run.outcome is not None:
                            self.on_end(run)
                    self.on_change(change.task)
                    if change.ended:
                        self.on_unlisted(change.ended)
            return made

    async def mark_started(self, owner: str, runs: Sequence[RunRecord]) -> None:
        """Note when runs started."""
        for run in runs:
            book = self._books.get(run.task)
            known = None if book is None else book.open.get(run.run_id)
            if known is not None:
                known.phase, known.started_at = run.phase, run.started_at
                self.on_change(run.task)

    async def finish(self, owner: str, runs: Sequence[RunRecord]) -> Sequence[bool]:
        """Take outcomes into memory. Of a task that is gone there is nothing left to tell."""
        self._check()
        recorded = []
        for run in runs:
            book = self._books.get(run.task)
            is_recorded = book is None or book.finish(run)
            recorded.append(is_recorded)
            if is_recorded and run.outcome is not None:
                self.on_end(run)
            if book is not None:
                self.on_change(run.task)
        return recorded

    async def cancel_requests(self, owner: str) -> Sequence[tuple[str, str]]:
        """Return the open runs whose end somebody asked for."""
        return [(key, run_id) for key, run_id, run in self._open_runs() if run.cancel_requested]

    async def request_cancel(self, task: str, run_id: str) -> bool:
        """Ask for the end of an open run."""
        run = self._open_run(task, run_id)
        if run is not None:
            run.cancel_requested = True
        return run is not None

    async def find(
        self, task: str, *, run_id: str | None = None, idempotency_key: str | None = None
    ) -> RunRecord | None:
        """Return a run that is open, or has not been written yet."""
        book = self._books.get(task)
        if book is None:
            return None
        for run in (*book.open.values(), *book.ended):
            if run.run_id == run_id or (idempotency_key is not None and run.idempotency_key == idempotency_key):
                return run
        return None

    async def history(self, query: HistoryQuery) -> Sequence[RunRecord]:
        """List the runs that have not been written yet; TaskRuns tell of the others."""
        found = [
            run
            for key, book in self._books.items()
            if not query.tasks or key in query.tasks
            for run in (*book.open.values(), *book.ended)
            if (not query.outcomes or run.outcome in query.outcomes)
            and (query.is_open is None or query.is_open is (run.outcome is None))
            and (query.since is None or run.scheduled_at >= query.since)
            and (query.until is None or run.scheduled_at <= query.until)
        ]
        return sorted(found, key=lambda run: run.scheduled_at, reverse=True)[: query.limit]

    async def prune(self, tasks: Mapping[str, Retention]) -> int:
        """Remove nothing: memory holds no more than is kept."""
        return 0

    async def unattended(self) -> Collection[str]:
        """Return the keys of tasks with runs that wait for room, or that the leader before had claimed."""
        return [
            key
            for key, book in self._books.items()
            if any(run.phase is OpenPhase.QUEUED or not run.proven for run in book.state.open_runs)
        ]

    async def set_pause(self, task: str, pause: Pause | None) -> None:
        """Refuse: in a cluster a task is paused by its `spec.suspend`."""
        raise StoreError(f"{self.name}: a task of a daemon is paused by setting its spec.suspend to true")

    async def acquire(self, owner: str, name: str, holder: str, places: int = 1) -> Lock | None:
        """Take a lock, or one of the places of a semaphore."""
        known = self._locks.get((name, owner, holder))
        if known is not None:
            return known
        if sum(each.name == name for each in self._locks.values()) >= places:
            return None
        lock = Lock(name, owner, holder, next(self._tokens), int(time.time()), alive=True)
        self._locks[name, owner, holder] = lock
        return lock

    async def release(self, owner: str, name: str, holder: str) -> bool:
        """Give back a lock."""
        return self._locks.pop((name, owner, holder), None) is not None

    async def locks(self) -> Sequence[Lock]:
        """List all locks."""
        return list(self._locks.values())

    async def break_lock(self, name: str, token: int) -> bool:
        """Free a lock, whoever holds it."""
        for key, lock in self._locks.items():
            if lock.name == name and lock.token == token:
                del self._locks[key]
                return True
        return False

    async def abandon(self, task: str, run_id: str) -> bool:
        """Make an open run unproven."""
        book = self._books.get(task)
        if book is None or run_id not in book.open:
            return False
        state = book.state
        runs = tuple(run._replace(proven=False) if run.run_id == run_id else run for run in state.open_runs)
        book.state, book.version = state._replace(open_runs=runs), book.version + 1
        return True

    # Writing the Lease

    def _claims(self, changes: Sequence[Change]) -> tuple[int | None, dict[str, Book]]:
        """Return the last tick that is claimed, and how tasks will be of which the Lease itself has to tell that."""
        last: int | None = None
        trials: dict[str, Book] = {}
        for change in changes:
            book = self._books.get(change.task)
            for run in change.runs:
                if run.phase is not OpenPhase.CLAIMED or run.trigger is Trigger.MANUAL:
                    continue
                last = run.scheduled_at if last is None else max(last, run.scheduled_at)
                if book is None or change.task in trials or self._is_fenced(book, run):
                    continue
                trial = copy.copy(book)
                trial.counts, trial.counters, trial.open = dict(book.counts), dict(book.counters), dict(book.open)
                trial.succeeded, trial.others = copy.copy(book.succeeded), copy.copy(book.others)
                trial.by_hand = list(book.by_hand)
                trial.apply(change)
                trials[change.task] = trial
        return last, trials

    def _without_room(self, trials: Mapping[str, Book]) -> set[str]:
        """Return the keys of those tasks of which the Lease would have to tell at once, but has no room for it."""
        held = {key: trial for key, trial in trials.items() if trial.written.is_held}
        if not held:
            return set()
        decided = self._decided()
        told = [key for key in self._must_tell if key in self._books and key not in trials]
        room = MOST_BYTES - sum(len(self._encode(self._books[key], decided)) + 1 for key in told)
        unfit = set()
        for key, trial in held.items():
            room -= len(self._encode(trial, decided)) + 1
            if room < 0:
                unfit.add(key)
        return unfit

    def _is_fenced(self, book: Book, run: RunRecord) -> bool:
        """Tell whether a watermark at the tick of a run keeps a new leader from starting it."""
        if run.run_id in book.open:
            return False  # it waited, and a new leader would let it wait on
        return not (book.written.is_held or book.key in self._told_held or book.state.suspended)

    async def _write(self, trials: Mapping[str, Book], claimed: int | None) -> None:
        self._check()
        annotations = self._annotations(trials, claimed) if self._is_ready else None
        self._told_held = self._told_held | self._telling_held  # until the answer is there, either may hold
        try:
            await self._lease.write(annotations)
        except OwnershipLost:
            self._is_lost = True
            self.on_lost()
            raise
        if annotations is not None:
            self._told_held = self._telling_held
        if claimed is not None:
            self._watermark = claimed if self._watermark is None else max(self._watermark, claimed)
        self._must_tell |= {key for key, trial in trials.items() if trial.written.is_held}

    def _annotations(self, trials: Mapping[str, Book], claimed: int | None, draining_until: int = 0) -> dict[str, str]:
        decided = self._decided()
        self._telling_held = set()
        proven, accounts = self._accounts(trials, decided)
        watermark = self._watermark
        if claimed is not None:
            watermark = claimed if watermark is None else max(watermark, claimed)
        return to_annotations(watermark, proven, accounts, draining_until)

    def _accounts(self, trials: Mapping[str, Book], decided: int) -> tuple[int, list[str]]:
        """Return how far everything is proven, and the accounts that make it so, the oldest troubles first."""
        required = self._must_tell | {key for key, trial in trials.items() if trial.written.is_held}
        encoded = [self._encode(trials.get(key) or self._books[key], decided) for key in required if key in self._books]
        room = MOST_BYTES - sum(map(len, encoded))
        troubles = []
        for key, book in self._books.items():
            if book.trouble is None and not book.open:
                continue
            book = trials.get(key) or book
            first = book.first_to_tell()
            if first is not None and first <= decided and key not in required:
                troubles.append((first, key))
        for first, key in sorted(troubles):
            text = self._encode(trials.get(key) or self._books[key], decided)
            room -= len(text) + 1
            if room < 0:
                return min(decided, first - 1), encoded
            encoded.append(text)
        return decided, encoded

    def _encode(self, book: Book, decided: int) -> str:
        account = book.account(decided)
        if account.suspended:
            self._telling_held.add(book.key)
        return encode(book.key, account)

    def _decided(self) -> int:
        """Return an instant up to which no tick of any task is undecided; it never goes back."""
        asked = self.decided_until()
        known = self._decided_until
        if asked is not None and (known is None or asked > known):
            self._decided_until = known = asked
        return 0 if known is None else known

    def _check(self) -> None:
        if self._is_lost:
            raise OwnershipLost(f"{self.name} is another replica's by now")

    def _open_runs(self) -> list[tuple[str, str, RunRecord]]:
        return [(key, run_id, run) for key, book in self._books.items() for run_id, run in book.open.items()]

    def _open_run(self, task: str, run_id: str) -> RunRecord | None:
        book = self._books.get(task)
        return None if book is None else book.open.get(run_id)
