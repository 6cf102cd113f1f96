"""What is written on the daemon's Lease, and which claims it has to tell of by name. See `journal` for its rule."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Callable, Mapping, Sequence

from timewright.decisions.task_state import OpenPhase
from timewright.resources.vocabulary import Trigger
from timewright.storage.kubernetes.book import Book
from timewright.storage.kubernetes.journal import MOST_BYTES, Journal, encode, from_annotations, to_annotations
from timewright.storage.kubernetes.lease import Lease
from timewright.storage.protocol import OwnershipLost, StoreError
from timewright.storage.records import Change, RunRecord

_STEPS = 1_000
"""After so many leaders revisions grow as before: long ones take room."""


class UnreadableLease(StoreError):  # noqa: N818 - a fact that the reader is told
    """What is written on a Lease is not what a daemon writes, so that nobody can tell what was claimed."""


def journal_of(lease: Lease) -> Journal:
    """Return what is written on a Lease; raises UnreadableLease."""
    try:
        return from_annotations(lease.annotations)
    except ValueError as error:
        text = f"Lease {lease.name} cannot be read: {error}; delete it, then ticks of the last seconds count as Lost"
        raise UnreadableLease(text) from error


class Page:
    """The Lease as its holder writes it, out of the books of all tasks."""

    def __init__(self, lease: Lease, books: Mapping[str, Book]) -> None:
        """Take a Lease that this process holds; raises UnreadableLease."""
        self.asked: Callable[[], int | None] = lambda: None
        """Asked for an instant up to which no tick of any task is undecided."""
        self.on_lost: Callable[[], None] = lambda: None
        """Called when another replica has the Lease."""
        self.is_ready = False
        """Whether every task that the leader before had is adopted, so that the Lease follows from the books."""
        self.is_handed_over = False
        self._must_tell: dict[str, int] = {}
        """By key, tasks that have started ticks of which a new leader would believe that nobody decided on them.

        With the version in which the last of these were claimed: a status of an older one does not tell of them.
        """
        self._lease, self._books = lease, books
        self.journal = journal_of(lease)
        self._watermark = self.journal.watermark
        self.decided_until = self.journal.proven
        """As it was asked for last, or as the leader before has written it."""
        self._is_lost = False
        self._tells_until = -1
        """Up to which instant the Lease tells of every tick for which there is room, as this holder has written it."""
        self._told_held: set[str] = set()
        """Keys of tasks of which the Lease tells that what follows is undecided."""
        self._telling_held: set[str] = {key for key, each in self.journal.accounts.items() if each.suspended}
        self._told_held |= self._telling_held

    @property
    def step(self) -> int:
        """By how much the revisions grow that this holder writes, another one than those before and after it."""
        return 1 + self._lease.transitions % _STEPS

    @property
    def is_blank(self) -> bool:
        """Whether no leader has written anything on the Lease: it is new, or was deleted and made anew."""
        return self.journal.proven is None and self._watermark is None

    def assume_claimed(self, until: int) -> None:
        """Take everything up to an instant for claimed, and nothing of it for proven."""
        if self._watermark is None:
            self._watermark = until
            self.journal = Journal(until, 0, {})

    def check(self) -> None:
        """Raise OwnershipLost once another replica has the Lease."""
        if self._is_lost:
            raise OwnershipLost(f"Lease {self._lease.name} is another replica's by now")

    def decided(self) -> int:
        """Return an instant up to which no tick of any task is undecided; it never goes back."""
        asked, known = self.asked(), self.decided_until
        if asked is not None and (known is None or asked > known):
            self.decided_until = known = asked
        return 0 if known is None else known

    async def release(self, draining_until: int) -> None:
        """Give the Lease up; raises StoreError when that cannot be written."""
        self.check()
        annotations = self._annotations({}, None, self.decided(), draining_until) if self.is_ready else None
        await self._lease.release(annotations)
        self.is_handed_over = True

    def must_tell(self, key: str, version: int) -> None:
        """Tell of a task at any price until a status tells of its version, or that nothing is held back."""
        self._must_tell[key] = version

    def note_written(self, key: str, book: Book, version: int) -> None:
        """Note that the status of a task tells of a version of its book."""
        if key in self._must_tell and (not book.is_held or version >= self._must_tell[key]):
            del self._must_tell[key]

    def forget(self, key: str) -> None:
        """Let go of a task."""
        self._must_tell.pop(key, None)

    def claims(self, changes: Sequence[Change]) -> tuple[int | None, dict[str, Book]]:
        """Return the last tick that is claimed, and how tasks will be of which the Lease itself has to tell that."""
        last: int | None = None
        trials: dict[str, Book] = {}
        for change in changes:
            book = self._books.get(change.task)
            for run in change.runs:
                if run.phase is not OpenPhase.CLAIMED or run.trigger is Trigger.MANUAL:
                    continue
                start = run.scheduled_at + run.jitter
                last = start if last is None else max(last, start)
                if book is None or change.task in trials or self._is_fenced(book, run):
                    continue
                trials[change.task] = _trial(book, change)
        return last, trials

    def waiting_behind(self, changes: Sequence[Change], claimed: int | None) -> dict[str, Book]:
        """Return how tasks will be whose ticks wait from now on, though the watermark speaks of these as claimed."""
        fenced = max((at for at in (self._watermark, claimed) if at is not None), default=None)
        trials: dict[str, Book] = {}
        if fenced is None:
            return trials
        queued = OpenPhase.QUEUED
        for change in changes:
            for run in change.runs:
                if run.phase is queued and run.scheduled_at + run.jitter <= fenced:
                    book = self._books.get(change.task)
                    if book is not None and run.run_id not in book.open:
                        trials[change.task] = _trial(book, change)
        return trials

    def without_room(self, trials: Mapping[str, Book]) -> set[str]:
        """Return the keys of those tasks of which the Lease would have to tell at once, but has no room for it."""
        held = {key: trial for key, trial in trials.items() if trial.is_held}
        if not held:
            return set()
        decided = self.decided()
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
        # One that waited a new leader would let wait on; of a task that was handed over it would believe, without an
        # account, that nobody has begun with it.
        is_otherwise = book.state.suspended or run.run_id in book.open or book.key in self._told_held
        return book.follows_rule and not is_otherwise

    def tells_of(self, start: int) -> bool:
        """Tell whether it is written how every tick up to an instant has ended, as far as there is room for that."""
        return start <= self._tells_until

    def must_write(self, trials: Mapping[str, Book], claimed: int | None) -> bool:
        """Tell whether claims have to be on the Lease before anything starts that are not yet."""
        return claimed is not None and (self._watermark is None or claimed > self._watermark or bool(trials))

    async def write(self, trials: Mapping[str, Book], claimed: int | None) -> None:
        """Renew the Lease, with claims up to an instant; raises OwnershipLost when it is another's, or StoreError."""
        self.check()
        decided = self.decided()
        annotations = self._annotations(trials, claimed, decided) if self.is_ready else None
        self._told_held = self._told_held | self._telling_held  # until the answer is there, either may hold
        try:
            await self._lease.write(annotations)
        except OwnershipLost:
            self._is_lost = True
            self.on_lost()
            raise
        if annotations is not None:
            self._told_held = self._telling_held
            self._tells_until = decided
        if claimed is not None:
            self._watermark = claimed if self._watermark is None else max(self._watermark, claimed)
        for key, trial in trials.items():
            if trial.is_held:
                self.must_tell(key, trial.version)

    def _annotations(
        self, trials: Mapping[str, Book], claimed: int | None, decided: int, draining_until: int = 0
    ) -> dict[str, str]:
        self._telling_held = set()
        proven, accounts = self._accounts(trials, decided)
        watermark = self._watermark
        if claimed is not None:
            watermark = claimed if watermark is None else max(watermark, claimed)
        return to_annotations(watermark, proven, accounts, draining_until, self.step)

    def _accounts(self, trials: Mapping[str, Book], decided: int) -> tuple[int, list[str]]:
        """Return how far everything is proven, and the accounts that make it so, the oldest troubles first."""
        required = self._must_tell.keys() | {key for key, trial in trials.items() if trial.is_held}
        encoded = [self._encode(trials.get(key) or self._books[key], decided) for key in required if key in self._books]
        room = MOST_BYTES - sum(map(len, encoded))
        troubles, early = [], dict(trials)
        for key, known in self._books.items():
            book = trials.get(key, known) if trials else known
            first = book.first_to_tell() if book.open else book.trouble
            if first is None or key in required:
                continue
            if first <= decided:
                troubles.append((first, key))
                early.pop(key, None)
            elif book.open and book.has_waiting:
                early[key] = book
        heapq.heapify(troubles)  # a few hundred have room: to sort ten thousand takes long, when all tasks are new
        while troubles:
            first, key = heapq.heappop(troubles)
            text = self._encode(trials.get(key) or self._books[key], decided)
            room -= len(text) + 1
            if room < 0:
                return min(decided, first - 1), encoded
            encoded.append(text)
        for key, book in early.items():  # without this, what waits would count as claimed
            text = self._encode(book, decided)
            room -= len(text) + 1
            if room >= 0 and key not in required:
                encoded.append(text)
        return decided, encoded

    def _encode(self, book: Book, decided: int) -> str:
        account = book.account(decided)
        if account.suspended:
            self._telling_held.add(book.key)
        return encode(book.key, account)


def _trial(book: Book, change: Change) -> Book:
    """Return how a task will be once a change is made."""
    trial = copy.copy(book)
    trial.counts, trial.counters, trial.open = dict(book.counts), dict(book.counters), dict(book.open)
    trial.succeeded, trial.others = copy.copy(book.succeeded), copy.copy(book.others)
    trial.by_hand = list(book.by_hand)
    trial.apply(change)
    return trial
