"""The protocol of a store. Whoever schedules speaks to this and knows of no database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from timewright.resources.vocabulary import Outcome
from timewright.storage.granting import Blocked, Demand
from timewright.storage.records import Change, Pause, RunRecord, StoredTask


class StoreError(Exception):
    """The store cannot be used. The text names it, says what happened, and the remedy. It may work again later."""


class UnfitError(StoreError):
    """What was given cannot be recorded, however often that is tried."""


class OwnershipLost(StoreError):  # noqa: N818 - a fact, not a fault
    """This owner was taken for dead, so what it had claimed may be somebody else's by now."""


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which runs to list, the latest first. Empty filters let everything pass; instants are UTC seconds.

    `since` and `until` are compared with the nominal time; `since` is included, `until` is not.
    """

    tasks: Collection[str] = ()
    outcomes: Collection[Outcome] = ()
    since: int | None = None
    until: int | None = None
    is_open: bool | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Retention:
    """How much history to keep: of each task, that many finished runs, none that ended `max_age` seconds ago."""

    succeeded_runs: int = 100
    other_runs: int = 100
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock, or one place of a semaphore, as it is held now."""

    name: str
    owner: str
    holder: str
    """What the owner holds it for: the id of a run."""
    token: int
    """Fencing token: of two holders of one lock the later has the higher number."""
    acquired_at: int
    alive: bool
    """Whether the owner is."""


class Store(Protocol):
    """Remembers what was decided and what became of it.

    A process that claims runs is an *owner*: a token that it must renew. An owner that no longer does is dead: its open
    runs are told as unproven, its locks are free, and the store refuses whatever it still asks for (`OwnershipLost`).
    How long that takes is `lease_seconds` at most, and less where a store can see that a process has ended.

    Death is what somebody saw: before a store tells anybody that an owner is dead it marks it so, for good. An owner
    that is late while nobody looks goes on; whatever an owner writes renews it. A store never takes an owner for dead
    that was registered through itself, in the same process.

    Any method may raise StoreError, and works again once the cause is gone. What was asked has not been done then,
    unless the answer was lost on its way. If that happens to a commit, or if it is cancelled, the store gives up what
    it may have claimed before it is used again, so such runs are told as unproven.
    """

    name: str
    """What to call it in messages: its URL, without a password."""
    shared: bool
    """Whether other machines see the same store."""
    unprotected: str | None
    """Why a task that is marked exclusive must not run on the word of this store, and the remedy; None if it may."""
    lease_seconds: float
    """How long after its last renewal an owner counts as alive."""
    must_claim: bool
    """Whether nothing at all may start on less than a claim of a living owner, since nobody could tell of it later."""

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        ...

    async def close(self) -> None:
        """Disconnect. Does not release the owner."""
        ...

    async def renew(self, owner: str) -> None:
        """Register the owner, or extend its life. Raises OwnershipLost for one that was taken for dead."""
        ...

    async def retire(self, owner: str) -> None:
        """End the owner at once: what it still holds is free, its open runs are unproven."""
        ...

    async def load(self, tasks: Collection[str]) -> Mapping[str, StoredTask]:
        """Return what is known of these tasks, all as it is at one moment; of one never seen, version 0."""
        ...

    async def commit(self, owner: str, changes: Sequence[Change]) -> Sequence[bool]:
        """Make each change whose version is still that of its task, in one transaction; tell which were made.

        A change increments the version by one, adds the outcomes of its finished runs and `ended` to the counters. Of
        two changes of one task the second is refused. So is one that adds a run with an idempotency key that another
        run of the task has, as long as that one is remembered: `find` tells.
        """
        ...

    async def mark_started(self, owner: str, runs: Sequence[RunRecord]) -> None:
        """Note that claimed runs are running since `started_at`. A courtesy to readers: nothing is decided by it."""
        ...

    async def finish(self, owner: str, runs: Sequence[RunRecord]) -> Sequence[bool]:
        """Record the outcomes of the owner's open runs and count them; tell for which that was possible.

        A run that is no longer the owner's, or has an outcome already, is left as it is. Versions do not change.
        """
        ...

    async def cancel_requests(self, owner: str) -> Sequence[tuple[str, str]]:
        """Return task and run id of the owner's open runs whose end somebody asked for."""
        ...

    async def request_cancel(self, task: str, run_id: str) -> bool:
        """Ask for the end of an open run, whoever runs it; tell whether there is one."""
        ...

    async def find(
        self, task: str, *, run_id: str | None = None, idempotency_key: str | None = None
    ) -> RunRecord | None:
        """Return the run of that id, or the first one with that idempotency key."""
        ...

    async def history(self, query: HistoryQuery) -> Sequence[RunRecord]:
        """List runs, the one with the latest nominal time first."""
        ...

    async def prune(self, tasks: Mapping[str, Retention]) -> int:
        """Remove finished runs beyond what is to be kept; return how many. Counters stay."""
        ...

    async def unattended(self) -> Collection[str]:
        """Return the keys of tasks with open runs that nobody runs: queued ones, and those of dead owners."""
        ...

    async def set_pause(self, task: str, pause: Pause | None) -> None:
        """Pause a task, or resume it. Increments its version, so that whoever decides learns it."""
        ...

    async def acquire(self, owner: str, name: str, holder: str, places: int = 1) -> Lock | None:
        """Take a lock, or one of the places of a semaphore; None when all are taken by living owners.

        Asked again for the same holder it returns what the owner has.
        """
        ...

    async def acquire_all(self, owner: str, demands: Sequence[Demand]) -> Sequence[Blocked | None]:
        """Take for each holder all the locks that it wants, or none, in one transaction.

        Returns for each what stands in its way, None where it has its locks; see `granting.grant` for who goes first.
        """
        ...

    async def release(self, owner: str, name: str, holder: str) -> bool:
        """Give back a lock that this owner holds for that; tell whether it did."""
        ...

    async def locks(self) -> Sequence[Lock]:
        """List all locks that are held, those of dead owners included."""
        ...

    async def break_lock(self, name: str, token: int) -> bool:
        """Free a lock that is held with that token, whoever holds it; its holder learns it when it releases."""
        ...

    async def abandon(self, task: str, run_id: str) -> bool:
        """Make an open run unproven although its owner lives, as a person's answer to one that hangs for good.

        The owner can no longer record it; the next decision records it as Lost.
        """
        ...
