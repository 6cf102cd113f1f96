"""What the daemon's Lease tells beside who leads, and how that is written into its annotations. Pure.

One rule says nearly everything: every tick of a task after the watermark of its status and up to `proven` has
succeeded. What the rule gets wrong is told task by task in *accounts*, until the task's status tells it. Ticks after
`proven` and up to `watermark` are claimed, and nobody can tell how they ended; ticks after that are nobody's yet.

An account adds to one version of the status. A new leader may find the next one instead: because that was on its way,
or because a leader that was deposed had sent it and it came late. Such a version says itself which counts it tells
beyond the one before, and what the account says of the rest holds beside both.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from timewright.resources.group import GROUP
from timewright.resources.vocabulary import Outcome

WATERMARK = f"{GROUP}/watermark"
PROVEN = f"{GROUP}/proven"
ACCOUNTS = f"{GROUP}/accounts"
STEP = f"{GROUP}/step"
DRAINING = f"{GROUP}/draining-until"
"""Until when, in UTC seconds, whoever gave the Lease up goes on with what it had started, and tells by TaskRuns."""

MOST_BYTES = 48_000
"""How much room accounts take at most. An object's annotations may hold 262,144 bytes, but each claim writes them."""


@dataclass(frozen=True, slots=True)
class Since:
    """What a version of a status tells beyond the one before it."""

    base: int | None
    """The revision of that one, None if no daemon wrote it."""
    counts: Mapping[Outcome, int] = field(default_factory=dict)
    """How many ticks have ended in each way between the two."""


@dataclass(frozen=True, slots=True)
class Account:
    """What has become of a task's ticks since its status was written. Instants are UTC seconds."""

    base: int | None
    """The revision of that status, None if no daemon wrote it; see `Journal.beyond` for when it has another one."""
    until: int
    """Every tick after the watermark of that status and up to here is in `counts`, `claimed` or `queued`."""
    counts: Mapping[Outcome, int] = field(default_factory=dict)
    claimed: tuple[int, ...] = ()
    """Ticks whose runs have been started, or may have been, and have no outcome."""
    queued: tuple[int, ...] = ()
    """Ticks that wait for room."""
    schedule_id: str = ""
    """The schedule that `until` belongs to."""
    suspended: bool = False
    """Whether the task was suspended then: what comes after `until` is not decided."""
    on_its_way: int | None = None
    """The revision of a status that was on its way; None where none was."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything that a Lease tells of ticks. Without a watermark nobody has claimed anything yet."""

    watermark: int | None = None
    proven: int | None = None
    accounts: Mapping[str, Account] = field(default_factory=dict)
    """By key of the task."""
    draining_until: int = 0
    step: int | None = None
    """By how much the revisions grow that whoever wrote this writes: leaders that follow one another differ in it."""

    def beyond(self, account: Account, revision: int | None, since: Since | None) -> Mapping[Outcome, int] | None:
        """Return the counts of an account that a status does not tell; None where the account is void.

        A status that came late may tell of ends that nobody knew of who has written this, and that were told otherwise
        since. These are taken back, so counts can be negative.
        """
        if account.base == revision:
            return account.counts
        if revision is None or since is None or since.base != account.base:
            return None
        has_come_late = self.step is not None and revision - (since.base or 0) != self.step
        if not has_come_late and account.on_its_way != revision:
            return None  # it was written after the account
        told = since.counts
        counts = {each: account.counts.get(each, 0) - told.get(each, 0) for each in (*account.counts, *told)}
        return {outcome: count for outcome, count in counts.items() if count}


def to_annotations(
    watermark: int | None, proven: int | None, accounts: Sequence[str], draining_until: int = 0, step: int | None = None
) -> dict[str, str]:
    """Write a journal. `accounts` are results of `encode`."""
    annotations = {} if watermark is None else {WATERMARK: str(watermark)}
    if proven is not None:
        annotations[PROVEN] = str(proven)
    if step is not None:
        annotations[STEP] = str(step)
    return {**annotations, ACCOUNTS: "{" + ",".join(accounts) + "}", DRAINING: str(draining_until)}


def encode(key: str, account: Account) -> str:
    """Write one account as a member of a JSON object."""
    ticks = (_differences(account.claimed), _differences(account.queued))
    values = [account.base, account.until, _by_name(account.counts), *ticks, account.schedule_id]
    values.append(int(account.suspended))
    if account.on_its_way is not None:
        values.append(account.on_its_way)
    text = json.dumps(values, separators=(",", ":"))
    return f"{json.dumps(key)}:{text}"


def from_annotations(annotations: Mapping[str, str] | None) -> Journal:
    """Read a journal.

    Raises:
        ValueError: when somebody has spoilt it: what was claimed is not known then, so nothing may be claimed.

    """
    given = annotations or {}
    try:
        parsed: dict[str, list[Any]] = json.loads(given.get(ACCOUNTS) or "{}")
        accounts = {key: _account(*values) for key, values in parsed.items()}
        draining_until = _number(given.get(DRAINING)) or 0
        watermark, proven, step = (_number(given.get(name)) for name in (WATERMARK, PROVEN, STEP))
        return Journal(watermark, proven, accounts, draining_until, step)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"annotations {WATERMARK}, {PROVEN}, {STEP}, {ACCOUNTS}: {error}") from error


def _account(
    base: int | None,
    until: int,
    counts: dict[str, int],
    claimed: list[int],
    queued: list[int],
    schedule_id: str,
    suspended: int,
    on_its_way: int | None = None,
) -> Account:
    ticks = _sums(claimed), _sums(queued)
    return Account(base, until, _by_outcome(counts), *ticks, schedule_id, bool(suspended), on_its_way)


def _by_name(counts: Mapping[Outcome, int]) -> dict[str, int]:
    return {outcome.value: count for outcome, count in counts.items() if count}


def _by_outcome(counts: Mapping[str, int]) -> dict[Outcome, int]:
    return {Outcome(outcome): count for outcome, count in counts.items()}


def _differences(ticks: Sequence[int]) -> list[int]:
    """Write ascending ticks in little room: each as seconds after the one before."""
    return [tick - before for tick, before in zip(ticks, (0, *ticks), strict=False)]


def _sums(differences: Sequence[int]) -> tuple[int, ...]:
    return tuple(itertools.accumulate(differences))


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
