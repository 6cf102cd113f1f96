"""The daemon's store: the memory of the process that leads, and the Lease that fences it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from timewright.decisions.task_state import OpenPhase
from timewright.resources.vocabulary import Outcome, Reason, Trigger
from timewright.storage.admission import admit
from timewright.storage.granting import Blocked, Demand
from timewright.storage.kubernetes.book import Book, Snapshot
from timewright.storage.kubernetes.inherited import ended_lately
from timewright.storage.kubernetes.lease import Lease
from timewright.storage.kubernetes.locks import Locks
from timewright.storage.kubernetes.page import Page
from timewright.storage.kubernetes.takeover import Timing, Told, take_over
from timewright.storage.protocol import HistoryQuery, Lock, Retention, StoreError
from timewright.storage.records import Change, Pause, RunRecord, StoredTask
from timewright.timetable.jitter import start_of

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
        """Take a Lease that this process holds. Raises UnreadableLease."""
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
        self._books: dict[str, Book] = {}
        self._page = Page(lease, self._books)
        self._page.asked = lambda: self.decided_until()
        self._page.on_lost = lambda: self.on_lost()
        self._left = dict(self._page.journal.accounts)
        self._writing = asyncio.Lock()
        self._locks = Locks()
        self._to_cancel: set[tuple[str, str]] = set()
        """Key of the task and id of the runs whose end somebody asked for."""

    # What the daemon does besides scheduling

    def assume_claimed(self, until: int) -> None:
        """Take everything up to an instant for claimed. For a Lease without a word, beside statuses that tell more."""
        self._page.assume_claimed(until)

    @property
    def is_blank(self) -> bool:
        """Whether no leader has written anything on the Lease: it is new, or was deleted and made anew."""
        return self._page.is_blank

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
        taken = take_over(told, self._page.journal, account, present, recorded or {}, run_id_of)
        if self.on_inherited is not None:
            for tick, outcome in ended_lately(told, self._page.journal, account, present, recorded or {}).items():
                reason = Reason.COMPLETED.value if outcome is Outcome.SUCCEEDED else ""
                ended = RunRecord(key, run_id_of(tick), tick, outcome=outcome, reason=reason, message=_INHERITED)
                self.on_inherited(ended)
        stored = stored._replace(state=taken.state)
        book = Book(told, stored, all_counters, run_id_of, retention or Retention(), self._page.step)
        for outcome, count in taken.counts.items():
            book.counts[outcome] = count
            all_counters[outcome] = all_counters.get(outcome, 0) + count
        if not taken.told_by_rule:
            book.note_trouble(min((*told.claimed, *told.queued, told.begins_at + 1)))
            if book.is_held:
                self._page.must_tell(key, book.version)
        decided_until = self._page.decided_until
        is_late = self._page.is_ready and decided_until is not None and told.begins_at < decided_until
        if is_late or told.is_handed_over:
            book.note_trouble(told.begins_at + 1)
        for run in book.state.open_runs:
            record = RunRecord(key, run.run_id, run.scheduled_at, run.trigger, run.phase)
            if present is not None and run.trigger is not Trigger.MANUAL:
                record.jitter = start_of(present.ticks, run.scheduled_at) - run.scheduled_at
            book.open[run.run_id] = record
        self._books[key] = book
        return book

    def rest(self, key: str, until: int) -> None:
        """Note that nobody decides on the ticks of a task after an instant, until a change of it is made."""
        book = self._books.get(key)
        if book is not None:
            book.rest(until)
            self.on_change(key)

    def hold(self, name: str, holder: str, owner: str = "") -> Lock:
        """Note that a lock is held, however many hold it: what runs already has it, whoever led when it began."""
        return self._locks.hold(owner, name, holder)

    def ready(self) -> None:
        """Begin to write the Lease as it follows from memory: every task that the leader before had is adopted."""
        self._page.is_ready = True

    def forget(self, key: str) -> None:
        """Let go of a task that is gone, or somebody else's."""
        self._books.pop(key, None)
        self._page.forget(key)

    def book(self, key: str) -> Book | None:
        """Return what is remembered of a task."""
        return self._books.get(key)

    @property
    def books(self) -> Mapping[str, Book]:
        """Everything that is remembered, by key."""
        return self._books

    async def snapshot(self, key: str, *, is_last: bool = False) -> Snapshot | None:
        """Return what is to be written of a task now, see `Book.snapshot`.

        While the Lease is written that waits: what is claimed by it is not in memory yet.
        """
        async with self._writing:
            book = self._books.get(key)
            return None if book is None else book.snapshot(self._page.decided(), is_last=is_last)

    async def tell_of(self, key: str, records: Sequence[RunRecord]) -> None:
        """Have the Lease tell of the ends of a task's runs before TaskRuns do. Raises StoreError when that fails.

        A tick that ended without a start was never claimed. Whoever finds its TaskRun alone, without a word on the
        Lease or in the status that it is decided, would start it.
        """
        unclaimed = [run for run in records if run.started_at is None and run.trigger is not Trigger.MANUAL]
        latest = max((run.scheduled_at + run.jitter for run in unclaimed), default=None)
        if latest is None:
            return
        async with self._writing:
            book = self._books.get(key)
            if book is not None and not self._page.tells_of(latest):
                await self._page.write({key: book}, None)

    def wrote(self, key: str, snapshot: Snapshot) -> None:
        """Note that the status of a task tells all of a snapshot."""
        book = self._books.get(key)
        if book is not None:
            book.wrote(snapshot)
            self._page.note_written(key, book, snapshot.stored.version)

    @property
    def draining_until(self) -> int:
        """Until when the leader before goes on with what it had started, in UTC seconds."""
        return self._page.journal.draining_until

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
            await self._page.release(draining_until)

    # The protocol

    async def open(self) -> None:
        """Do nothing: the Lease is there."""

    async def close(self) -> None:
        """Do nothing: `hand_over` gives the Lease up."""

    async def renew(self, owner: str) -> None:
        """Renew the Lease, and write how far everything is proven."""
        async with self._writing:
            if not self._page.is_handed_over:
                await self._page.write({}, None)

    async def retire(self, owner: str) -> None:
        """Do nothing: `hand_over` gives the Lease up."""

    async def load(self, tasks: Collection[str]) -> Mapping[str, StoredTask]:
        """Return what is remembered of these tasks."""
        books = self._books
        return {key: books[key].stored if key in books else StoredTask(key) for key in tasks}

    async def commit(self, owner: str, changes: Sequence[Change]) -> Sequence[bool]:
        """Make changes. What they claim is on the Lease before it is in memory, all of it by one write."""
        async with self._writing:
            self._page.check()
            if self._page.is_handed_over:
                return [False] * len(changes)
            versions = {each.task: self._books[each.task].version for each in changes if each.task in self._books}
            made = admit(changes, versions)
            accepted = [change for change, is_made in zip(changes, made, strict=True) if is_made]
            claimed, trials = self._page.claims(accepted)
            if unfit := self._page.without_room(trials):
                if len(unfit) == len(accepted):
                    text = f"{len(unfit)} tasks that were resumed wait for the statuses of others to be written"
                    raise StoreError(f"{self.name}: {text}")
                made = [is_made and change.task not in unfit for change, is_made in zip(changes, made, strict=True)]
                accepted = [change for change in accepted if change.task not in unfit]
                claimed, trials = self._page.claims(accepted)
            waiting = self._page.waiting_behind(accepted, claimed)
            if waiting or self._page.must_write(trials, claimed):
                await self._page.write(waiting | trials, claimed)
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
        self._page.check()
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
        self._to_cancel = {each for each in self._to_cancel if self._open_run(*each) is not None}
        return list(self._to_cancel)

    async def request_cancel(self, task: str, run_id: str) -> bool:
        """Ask for the end of an open run."""
        run = self._open_run(task, run_id)
        if run is not None:
            run.cancel_requested = True
            self._to_cancel.add((task, run_id))
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
            if book.state.open_runs
            and any(run.phase is OpenPhase.QUEUED or not run.proven for run in book.state.open_runs)
        ]

    async def set_pause(self, task: str, pause: Pause | None) -> None:
        """Refuse: in a cluster a task is paused by its `spec.suspend`."""
        raise StoreError(f"{self.name}: a task of a daemon is paused by setting its spec.suspend to true")

    async def acquire(self, owner: str, name: str, holder: str, places: int = 1) -> Lock | None:
        """Take a lock, or one of the places of a semaphore."""
        return self._locks.acquire(owner, name, holder, places)

    async def acquire_all(self, owner: str, demands: Sequence[Demand]) -> Sequence[Blocked | None]:
        """Take the locks of each holder, or none of them."""
        self._page.check()
        return self._locks.acquire_all(owner, demands)

    async def release(self, owner: str, name: str, holder: str) -> bool:
        """Give back a lock."""
        return self._locks.release(owner, name, holder)

    async def locks(self) -> Sequence[Lock]:
        """List all locks."""
        return self._locks.all()

    async def break_lock(self, name: str, token: int) -> bool:
        """Free a lock, whoever holds it."""
        return self._locks.break_(name, token)

    async def abandon(self, task: str, run_id: str) -> bool:
        """Make an open run unproven."""
        book = self._books.get(task)
        if book is None or run_id not in book.open:
            return False
        state = book.state
        runs = tuple(run._replace(proven=False) if run.run_id == run_id else run for run in state.open_runs)
        book.state, book.version = state._replace(open_runs=runs), book.version + 1
        return True

    def _open_run(self, task: str, run_id: str) -> RunRecord | None:
        book = self._books.get(task)
        return None if book is None else book.open.get(run_id)
