"""Who gets a lock, of those who ask for locks at the same time. Pure, and the same for every store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Demand(NamedTuple):
    """Locks that one holder wants, all of them or none."""

    holder: str
    slots: Mapping[str, int]
    """By the name of each lock, how many may hold it at once."""


class Blocked(NamedTuple):
    """Why a holder does not get its locks."""

    name: str
    """A lock that it wants and that is not free."""
    holder: str
    """Who holds it, or goes first."""


def grant(demands: Sequence[Demand], held: Mapping[str, Sequence[str]]) -> list[Blocked | None]:
    """Tell of each demand what stands in its way, in the order given; None for those that get their locks.

    `held` are the holders of each lock now. Nobody overtakes: a demand that has to wait keeps its place in each of its
    locks against those after it, so that none waits for ever. Who has a lock already is given it again.
    """
    taken = {name: list(holders) for name, holders in held.items()}
    answers: list[Blocked | None] = []
    for holder, slots in demands:
        missing = [name for name in slots if holder not in held.get(name, ())]
        full = next((name for name in missing if len(taken.setdefault(name, [])) >= slots[name]), None)
        answers.append(None if full is None else Blocked(full, taken[full][0]))
        for name in missing:
            taken.setdefault(name, []).append(holder)
    return answers


def known_holder(holder: str, is_own: bool) -> str:
    """Return what `grant` is to call a holder: one of another owner is never the one that asks, whatever its name."""
    return holder if is_own else f"{holder} elsewhere"
