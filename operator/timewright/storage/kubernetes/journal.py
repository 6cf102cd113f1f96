"""What the daemon's Lease tells beside who leads, and how that is written into its annotations. Pure.

One rule says nearly everything: every tick of a task after the watermark of its status and up to `proven` has
succeeded. What the rule gets wrong is told task by task in *accounts*, until the task's status tells it. Ticks after
`proven` and up to `watermark` are claimed, and nobody can tell how they ended; ticks after that are nobody's yet.

An account adds to one version of the status. While the next one is on its way, either may be what a new leader finds,
so the account says which of its counts that one tells. What waits or runs, and up to where, holds beside both.
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
DRAINING = f"{GROUP}/draining-until"
"""Until when, in UTC seconds, whoever gave the Lease up goes on with what it had started, and tells by TaskRuns."""

MOST_BYTES = 48_000
"""How much room accounts take at most. An object's annotations may hold 262,144 bytes, but each claim writes them."""


@dataclass(frozen=True, slots=True)
class Account:
    """What has become of a task's ticks since its status was written. Instants are UTC seconds."""

    base: int | None
    """The revision of that status, None if no daemon wrote it; see `counts_beyond` for when it has another one."""
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
    on_its_way: tuple[int, Mapping[Outcome, int]] | None = None
    """The revision of a status that was on its way, and those of `counts` that it tells; None where none was."""

    def counts_beyond(self, revision: int | None) -> Mapping[Outcome, int] | None:
        """Return the counts that a status of that revision does not tell; None where the account is void."""
        if self.base == revision:
            return self.counts
        if self.on_its_way is None or revision != self.on_its_way[0]:
            return None
        told = self.on_its_way[1]
        beyond = {outcome: count - told.get(outcome, 0) for outcome, count in self.counts.items()}
        return {outcome: count for outcome, count in beyond.items() if count}


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything that a Lease tells of ticks. Without a watermark nobody has claimed anything yet."""

    watermark: int | None = None
    proven: int | None = None
    accounts: Mapping[str, Account] = field(default_factory=dict)
    """By key of the task."""
    draining_until: int = 0


def to_annotations(
    watermark: int | None, proven: int | None, accounts: Sequence[str], draining_until: int = 0
) -> dict[str, str]:
    """Write a journal. `accounts` are results of `encode`."""
    annotations = {} if watermark is None else {WATERMARK: str(watermark)}
    if proven is not None:
        annotations[PROVEN] = str(proven)
    return {**annotations, ACCOUNTS: "{" + ",".join(accounts) + "}", DRAINING: str(draining_until)}


def encode(key: str, account: Account) -> str:
    """Write one account as a member of a JSON object."""
    ticks = (_differences(account.claimed), _differences(account.queued))
    values = [account.base, account.until, _by_name(account.counts), *ticks, account.schedule_id]
    values.append(int(account.suspended))
    if account.on_its_way is not None:
        revision, told = account.on_its_way
        values += [revision, _by_name(told)]
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
        return Journal(_number(given.get(WATERMARK)), _number(given.get(PROVEN)), accounts, draining_until)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"annotations {WATERMARK}, {PROVEN}, {ACCOUNTS}: {error}") from error


def _account(
    base: int | None,
    until: int,
    counts: dict[str, int],
    claimed: list[int],
    queued: list[int],
    schedule_id: str,
    suspended: int,
    revision: int | None = None,
    told: dict[str, int] | None = None,
) -> Account:
    on_its_way = None if revision is None else (revision, _by_outcome(told or {}))
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
