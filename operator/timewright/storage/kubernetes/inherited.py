"""Which runs, and how they ended, does a new leader know of that the one before may not have told anybody else? Pure.

What had ended shortly before a leader was killed is in the Lease as a number. Of ticks that all ended the same way,
the number tells of each.
"""

from __future__ import annotations

from collections.abc import Mapping

from timewright.resources.vocabulary import Outcome
from timewright.storage.kubernetes.journal import Account, Journal
from timewright.storage.kubernetes.takeover import Timing, Told

SECONDS = 10
"""How far back is looked: what ended earlier, the leader before has told of."""

MOST_TICKS = 100
"""Of how many ticks of a task is told, the latest ones."""


def ended_lately(
    told: Told,
    journal: Journal,
    account: Account | None,
    present: Timing | None,
    recorded: Mapping[int, Outcome],
) -> dict[int, Outcome]:
    """Return how the latest ticks of a task ended, as far as that is certain.

    Args:
        told: what its status tells.
        journal: what the Lease told when it changed hands.
        account: the task's own account in it, if there is one.
        present: its schedule as it is now; None when that is refused.
        recorded: outcomes of ticks that a TaskRun tells.

    """
    proven = journal.watermark if journal.proven is None else journal.proven
    if proven is None:
        return {}
    counts = None if account is None else journal.beyond(account, told.revision, told.since)
    ended: dict[int, Outcome] = {}
    if account is not None and counts is not None:
        schedule_id, others = account.schedule_id, _others(counts)
        until = account.until if account.suspended else max(account.until, proven)
        still_open = {*account.claimed, *account.queued}
    else:
        if told.suspended or told.is_handed_over:
            return {}
        if account is not None and account.until > told.begins_at:
            return {}  # a leader that was deposed has written that status since
        schedule_id, others, until = told.schedule_id or (present.schedule_id if present else ""), 0, proven
        still_open = {*told.claimed, *told.queued}
        if account is None:
            # A status lists them and the Lease, which was written later, does not.
            ended = {tick: recorded.get(tick, Outcome.SUCCEEDED) for tick in still_open if tick <= proven}
    ticks = told.ticks_of(schedule_id, present)
    if ticks is None:
        return ended
    told_others = sum(
        told.begins_at < tick <= until and each is not Outcome.SUCCEEDED for tick, each in recorded.items()
    )
    tick, places = ticks.last_until(until), MOST_TICKS
    while tick is not None and tick > max(told.begins_at, until - SECONDS) and places:
        if tick in recorded:
            ended[tick] = recorded[tick]
        elif tick not in still_open and others == told_others:
            ended[tick] = Outcome.SUCCEEDED
        tick, places = ticks.last_until(tick - 1), places - 1
    return ended


def _others(counts: Mapping[Outcome, int]) -> int:
    return sum(count for outcome, count in counts.items() if outcome is not Outcome.SUCCEEDED)
